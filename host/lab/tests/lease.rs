//! The lease folder of the lab's install server.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use jiff::SignedDuration;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, ClaimedHost, Confirmed, ControllerId, FORMAT, HeldClaim,
    JournalMark, Lease, LeaseError, LeaseResult, Observation, Renewal, Renewed, Right,
};
use wreimage_lab::{Lab, LabLease, Pace, World};

const FQDN: &str = "host1001.lab1.example";

fn lab() -> Lab {
    Lab::new(World::builtin().unwrap(), Pace::Full)
}

fn host() -> ClaimedHost {
    ClaimedHost {
        fqdn: FQDN.to_owned(),
        serial: Some("S1".to_owned()),
        ..ClaimedHost::default()
    }
}

async fn observed(lease: &LabLease) -> Observation {
    lease.observe(&host()).await.unwrap()
}

/// A request of this run over what is there.
async fn request(lease: &LabLease, run: &str, right: Right) -> Acquire {
    let there = observed(lease).await;
    Acquire {
        claim: Claim {
            format: FORMAT,
            host: host(),
            run: run.to_owned(),
            token: lease.new_token(),
            state: ClaimState::Held,
            controller: ControllerId {
                name: format!("controller-of-{run}"),
                boot_id: run.to_owned(),
                lock_inode: 1,
            },
            actor: "alice".to_owned(),
            uid: 1000,
            phase: "install".to_owned(),
            acquisition: 0,
            journal: JournalMark {
                length: 10,
                sum: "s".to_owned(),
            },
        },
        over: there.claims.first().map(|it| it.claim.token.clone()),
        right,
    }
}

fn held(of: &Acquire) -> HeldClaim {
    HeldClaim {
        host: host(),
        run: of.claim.run.clone(),
        token: of.claim.token.clone(),
        phase: "enrol".to_owned(),
        journal: of.claim.journal.clone(),
    }
}

async fn pass(lab: &Lab, minutes: i64) {
    let clock = lab.clock();
    clock
        .sleep_until(clock.now() + SignedDuration::from_mins(minutes))
        .await;
}

fn take_over(run: &str) -> Right {
    Right::TakeOver {
        run: run.to_owned(),
    }
}

/// A claim of a process that renews it.
struct Kept(HeldClaim, Mutex<u32>);

impl Renewed for Kept {
    fn claim(&self) -> Option<HeldClaim> {
        Some(self.0.clone())
    }

    fn renewed(&self, _sent: Duration, _answer: LeaseResult<Confirmed>) {
        *self.1.lock().unwrap() += 1;
    }
}

#[tokio::test]
async fn a_claim_is_fresh_while_its_process_keeps_it_and_ages_afterwards() {
    let lab = lab();
    let lease = lab.lease();
    let first = request(&lease, "A", Right::Begin).await;
    let confirmed = lease.acquire(&first).await.unwrap();
    assert_eq!((confirmed.ttl_ms, confirmed.acquisition), (300_000, 1));
    let process: Arc<dyn Renewed> = Arc::new(Kept(held(&first), Mutex::default()));
    let kept = lease.keep(Arc::downgrade(&process), Duration::from_secs(300));
    pass(&lab, 60).await;
    let there = observed(&lease).await;
    assert!(there.claims[0].is_fresh);
    let rival = request(&lease, "B", take_over("A")).await;
    assert!(matches!(
        lease.acquire(&rival).await,
        Err(LeaseError::Refused { .. })
    ));
    drop(kept);
    pass(&lab, 4).await;
    assert_eq!(observed(&lease).await.claims[0].age_ms, 240_000);
    pass(&lab, 1).await;
    assert!(!observed(&lease).await.claims[0].is_fresh);
    // The state is that of the request, and a saved world remembers it.
    let saved = World::restore(&lab.save()).unwrap();
    assert_eq!(saved.claims_on(FQDN).unwrap().claims[0].claim.run, "A");
    lease.acquire(&rival).await.unwrap();
    let lost = lease.verify(&held(&first)).await;
    assert!(matches!(lost, Err(LeaseError::Lost(_))));
    lease.verify(&held(&rival)).await.unwrap();
}

#[tokio::test]
async fn a_verification_refreshes_the_heartbeat_and_a_release_keeps_it() {
    let lab = lab();
    let lease = lab.lease();
    let first = request(&lease, "A", Right::Begin).await;
    lease.acquire(&first).await.unwrap();
    pass(&lab, 3).await;
    let mut claim = held(&first);
    claim.journal.length = 20;
    lease.verify(&claim).await.unwrap();
    let there = observed(&lease).await.claims.remove(0);
    assert_eq!((there.age_ms, there.claim.journal.length), (0, 20));
    pass(&lab, 1).await;
    let renewed = lease.renew(std::slice::from_ref(&claim)).await.unwrap();
    assert!(renewed[0].is_ok());
    assert_eq!(observed(&lease).await.claims[0].age_ms, 0);
    pass(&lab, 1).await;
    lease.release(&claim).await.unwrap();
    let there = observed(&lease).await.claims.remove(0);
    assert_eq!(
        (there.age_ms, there.claim.state),
        (60_000, ClaimState::Released)
    );
    let next = request(&lease, "B", Right::Begin).await;
    let confirmed = lease.acquire(&next).await.unwrap();
    assert_eq!(confirmed.acquisition, 2);
}

#[tokio::test]
async fn a_broken_claim_keeps_its_heartbeat_and_its_run_away() {
    let lab = lab();
    let lease = lab.lease();
    let first = request(&lease, "A", Right::Begin).await;
    lease.acquire(&first).await.unwrap();
    pass(&lab, 2).await;
    lease.break_claim(FQDN, &first.claim.token).await.unwrap();
    assert_eq!(observed(&lease).await.claims[0].age_ms, 120_000);
    assert!(lease.verify(&held(&first)).await.is_err());
    let rival = request(&lease, "B", Right::Begin).await;
    assert!(lease.acquire(&rival).await.is_err());
    pass(&lab, 3).await;
    lease.acquire(&rival).await.unwrap();
}

#[tokio::test]
async fn after_a_boot_of_the_server_a_heartbeat_is_as_old_as_its_uptime() {
    let lab = lab();
    let lease = lab.lease();
    let first = request(&lease, "A", Right::Begin).await;
    lease.acquire(&first).await.unwrap();
    pass(&lab, 60).await;
    lab.change(World::restart_install_server);
    let there = observed(&lease).await;
    assert_eq!((there.claims[0].age_ms, there.settling_ms), (0, 300_000));
    // Its own run continues at once; nobody else does before the server has settled.
    let mut resumed = request(
        &lease,
        "A",
        Right::Resume {
            tokens: vec![first.claim.token.clone()],
        },
    )
    .await;
    resumed.claim.controller = first.claim.controller.clone();
    lease.acquire(&resumed).await.unwrap();
    pass(&lab, 5).await;
    let rival = request(&lease, "B", take_over("A")).await;
    lease.acquire(&rival).await.unwrap();
}

#[tokio::test]
async fn a_lost_folder_refuses_everybody_until_it_is_created_anew() {
    let lab = lab();
    let lease = lab.lease();
    let first = request(&lease, "A", Right::Begin).await;
    lease.acquire(&first).await.unwrap();
    lab.change(World::lose_lease_folder);
    for lost in [
        lease.observe(&host()).await.map(drop),
        lease.verify(&held(&first)).await.map(drop),
        lease.acquire(&first).await.map(drop),
    ] {
        assert!(matches!(lost, Err(LeaseError::Folder(_))), "{lost:?}");
    }
    lab.change(World::create_lease_folder);
    let there = observed(&lease).await;
    assert!(there.claims.is_empty());
    assert_eq!(there.settling_ms, 300_000);
    assert!(matches!(
        lease.verify(&held(&first)).await,
        Err(LeaseError::Lost(_))
    ));
    let next = request(&lease, "B", Right::Begin).await;
    assert!(lease.acquire(&next).await.is_err());
    pass(&lab, 5).await;
    lease.acquire(&next).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_says_nothing() {
    let lab = lab();
    let lease = lab.lease();
    let first = request(&lease, "A", Right::Begin).await;
    lab.change(|world| world.install_server_mut().reachable = false);
    let silent = lease.acquire(&first).await;
    assert!(matches!(silent, Err(LeaseError::NoAnswer(_))));
    lab.change(|world| world.install_server_mut().reachable = true);
    lease.acquire(&first).await.unwrap();
}

#[tokio::test]
async fn no_token_is_given_twice_also_by_a_world_that_was_saved() {
    let lab = lab();
    let one = lab.lease().new_token();
    let again = Lab::new(World::restore(&lab.save()).unwrap(), Pace::Full);
    assert_ne!(one, again.lease().new_token());
}
