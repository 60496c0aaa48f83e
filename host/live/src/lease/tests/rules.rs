//! The rules of acquisition, one after the other.

use super::requests::{controller, held, host, request};
use super::rig::{Rig, TTL};
use super::way::Fate;
use std::time::Duration;
use wreimage_capability::lease::{
    Acquire, ClaimState, HeldClaim, JournalMark, Lease, LeaseError, Right, Token,
};

/// The code or the text that a refusal must name.
async fn refused(rig: &Rig, request: &Acquire, words: &str) {
    match rig.lease.acquire(request).await {
        Err(LeaseError::Refused { why, .. }) => assert!(why.contains(words), "{why}"),
        other => panic!("not refused ({words}): {other:?}"),
    }
}

async fn lost(rig: &Rig, claim: &HeldClaim, words: &str) {
    match rig.lease.verify(claim).await {
        Err(LeaseError::Lost(why)) => assert!(why.contains(words), "{why}"),
        other => panic!("not lost ({words}): {other:?}"),
    }
}

fn take_over(run: &str) -> Right {
    Right::TakeOver {
        run: run.to_owned(),
    }
}

fn resume(tokens: &[&str]) -> Right {
    Right::Resume {
        tokens: tokens.iter().map(|it| Token((*it).to_owned())).collect(),
    }
}

#[tokio::test]
async fn a_claim_keeps_others_away_until_its_end_a_take_over_or_a_break() {
    let mut rig = Rig::new(&[]).await;
    let first = request("r1", "t1", None, Right::Begin);
    let confirmed = rig.lease.acquire(&first).await.unwrap();
    assert_eq!((confirmed.ttl_ms, confirmed.acquisition), (TTL, 1));
    // The same token again is answered with what is left of it, and not executed.
    rig.pass(1000);
    let again = rig.lease.acquire(&first).await.unwrap();
    assert_eq!((again.ttl_ms, again.acquisition), (TTL - 1000, 1));

    refused(
        &rig,
        &request("r2", "t2", None, Right::Begin),
        "has changed",
    )
    .await;
    let second = request("r2", "t2", Some("t1"), Right::Begin);
    refused(&rig, &second, "cancel r1").await;
    let over = request("r2", "t2", Some("t1"), take_over("r1"));
    refused(&rig, &over, "is alive").await;
    rig.pass(TTL);
    refused(&rig, &second, "--take-over r1").await;
    let wrong = request("r2", "t2", Some("t1"), take_over("r9"));
    refused(&rig, &wrong, "--take-over r1").await;
    assert_eq!(rig.lease.acquire(&over).await.unwrap().acquisition, 2);
    lost(&rig, &held(&first), "belongs to run r2").await;
    let refused_release = rig.lease.release(&held(&first)).await;
    assert!(matches!(refused_release, Err(LeaseError::Lost(_))));

    // A break leaves the heartbeat.
    rig.lease.verify(&held(&over)).await.unwrap();
    rig.pass(1000);
    let fqdn = "host1.lab1.test";
    let wrong = rig.lease.break_claim(fqdn, &Token("t1".to_owned())).await;
    assert!(matches!(wrong, Err(LeaseError::Refused { .. })));
    rig.lease
        .break_claim(fqdn, &over.claim.token)
        .await
        .unwrap();
    lost(&rig, &held(&over), "broke").await;
    let third = request("r3", "t3", Some("t2"), Right::Begin);
    refused(&rig, &third, "was broken").await;
    rig.pass(TTL - 1000);
    rig.lease.acquire(&third).await.unwrap();

    // A released claim is free at once, and keeps what it knows.
    let mut claim = held(&third);
    claim.journal.length = 9;
    rig.lease.release(&claim).await.unwrap();
    rig.lease.release(&claim).await.unwrap();
    let seen = rig.lease.observe(&host(fqdn)).await.unwrap();
    let kept = &seen.claims[0].claim;
    assert_eq!(
        (kept.state, kept.journal.length, kept.acquisition),
        (ClaimState::Released, 9, 3)
    );
    // The old message, late.
    refused(&rig, &third, "it is released").await;
    rig.lease
        .acquire(&request("r4", "t4", Some("t3"), Right::Begin))
        .await
        .unwrap();
    assert_eq!(*rig.way.errors.lock().unwrap(), "");
}

#[tokio::test]
async fn a_run_resumes_only_over_its_own_last_acquisition() {
    let mut rig = Rig::new(&[]).await;
    refused(
        &rig,
        &request("r1", "t2", None, resume(&["t1"])),
        "no longer exists",
    )
    .await;
    let first = request("r1", "t1", None, Right::Begin);
    rig.lease.acquire(&first).await.unwrap();
    let mut claim = held(&first);
    claim.journal = JournalMark {
        length: 7,
        sum: "a7".to_owned(),
    };
    rig.lease.verify(&claim).await.unwrap();
    let mut again = request("r1", "t2", Some("t1"), resume(&["t0", "t1"]));
    again.claim.journal.length = 6;
    refused(&rig, &again, "older or another copy").await;
    again.claim.journal.length = 7;
    refused(&rig, &again, "older or another copy").await;
    again.claim.journal.sum = "a7".to_owned();
    let mut other = again.clone();
    other.right = resume(&["t0"]);
    refused(&rig, &other, "not this run's last").await;
    // Another boot of the controller, or a copy of its state folder.
    let mut copy = again.clone();
    copy.claim.controller = controller("r1", 2);
    refused(&rig, &copy, "a copy of this run is alive").await;
    let mut booted = again.clone();
    booted.claim.controller.boot_id = "another".to_owned();
    refused(&rig, &booted, "a copy of this run is alive").await;
    // The same controller, at once, and even before the server has settled.
    rig.restart();
    rig.lease.acquire(&again).await.unwrap();
    lost(&rig, &claim, "belongs to").await;
    let fresh = request("r5", "t5", Some("t2"), Right::Begin);
    refused(&rig, &fresh, "is alive").await;
    rig.pass(TTL);
    copy.claim.token = Token("t3".to_owned());
    copy.over = Some(Token("t2".to_owned()));
    copy.right = resume(&["t1", "t2"]);
    rig.lease.acquire(&copy).await.unwrap();
}

#[tokio::test]
async fn a_journal_never_becomes_shorter_and_a_renewal_is_never_late() {
    let rig = Rig::new(&[]).await;
    let first = request("r1", "t1", None, Right::Begin);
    rig.lease.acquire(&first).await.unwrap();
    let at = |length: u64, sum: &str| {
        let mut claim = held(&first);
        claim.journal = JournalMark {
            length,
            sum: sum.to_owned(),
        };
        claim
    };
    rig.lease.verify(&at(5, "a5")).await.unwrap();
    rig.lease.verify(&at(5, "a5")).await.unwrap();
    lost(&rig, &at(4, "a4"), "a copy of the run is ahead").await;
    lost(&rig, &at(5, "b5"), "a copy of the run is ahead").await;
    // A verification may have overtaken it.
    for claim in [at(3, "a3"), at(8, "a8"), at(6, "a6")] {
        let answers = rig.lease.renew(&[claim]).await.unwrap();
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }
    lost(&rig, &at(7, "a7"), "a copy of the run is ahead").await;
    let mut gone = at(8, "a8");
    gone.host = host("host2.lab1.test");
    let answers = rig.lease.renew(&[gone, at(8, "a8")]).await.unwrap();
    assert!(
        matches!(&answers[..], [Err(LeaseError::Lost(why)), Ok(_)] if why.contains("no longer exists")),
        "{answers:?}"
    );
}

#[tokio::test]
async fn another_name_of_the_same_machine_is_a_rival() {
    let mut rig = Rig::new(&[]).await;
    let old = request("r1", "t1", None, Right::Begin);
    rig.lease.acquire(&old).await.unwrap();
    let mut new = request("r2", "t2", None, Right::Begin);
    new.claim.host = host("renamed.lab1.test");
    new.claim.host.serial = Some("abc 1".to_owned());
    let seen = rig.lease.observe(&new.claim.host).await.unwrap();
    assert_eq!(seen.claims[0].claim.run, "r1");
    refused(&rig, &new, "which is the same machine").await;
    rig.pass(TTL);
    refused(&rig, &new, "--take-over r1").await;
    new.right = take_over("r1");
    assert_eq!(rig.lease.acquire(&new).await.unwrap().acquisition, 2);
    lost(&rig, &held(&old), "no longer exists").await;
    let all = rig.lease.list().await.unwrap().claims;
    assert_eq!(all.len(), 1, "{all:?}");
    // Another machine is none of its business.
    let mut other = request("r3", "t3", None, Right::Begin);
    other.claim.host.fqdn = "host9.lab1.test".to_owned();
    other.claim.host.serial = Some("XYZ 9".to_owned());
    rig.lease.acquire(&other).await.unwrap();
}

/// Whatever step of a take-over is the last that its controller and its script make, the next one works, and the old run has
/// either everything or nothing.
#[tokio::test]
async fn a_controller_that_dies_while_it_takes_over_leaves_no_knot() {
    for at in 1..12 {
        let mut rig = Rig::new(&[]).await;
        let first = request("r1", "t1", None, Right::Begin);
        rig.lease.acquire(&first).await.unwrap();
        rig.pass(TTL);
        let mut over = request("r2", "t2", None, take_over("r1"));
        over.claim.host = host("renamed.lab1.test");
        rig.next(Fate::Kill(at));
        let answer = rig.lease.acquire(&over).await;
        assert!(matches!(answer, Err(LeaseError::NoAnswer(_))), "{answer:?}");
        let old = rig.lease.verify(&held(&first)).await;
        let new = rig.lease.verify(&held(&over)).await;
        assert!(
            old.is_err() || new.is_err(),
            "killed before step {at}: both are confirmed"
        );
        rig.pass(TTL);
        let seen = rig.lease.observe(&over.claim.host).await.unwrap();
        let own = seen
            .claims
            .iter()
            .find(|it| it.claim.host.fqdn == "renamed.lab1.test");
        let holder = seen
            .claims
            .iter()
            .find(|it| it.claim.state == ClaimState::Held);
        let mut next = over.clone();
        next.claim.token = Token("t3".to_owned());
        next.claim.run = "r3".to_owned();
        next.over = own.map(|it| it.claim.token.clone());
        next.right = holder.map_or(Right::Begin, |it| take_over(&it.claim.run));
        rig.lease.acquire(&next).await.unwrap();
        assert_eq!(rig.lease.list().await.unwrap().claims.len(), 1);
    }
}

#[tokio::test]
async fn a_folder_that_is_lost_restored_or_new_has_a_way_out() {
    let mut rig = Rig::empty(&[]);
    let first = request("r1", "t1", None, Right::Begin);
    let folder = async |rig: &Rig, words: &str| match rig.lease.acquire(&first).await {
        Err(LeaseError::Folder(why)) => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    };
    folder(&rig, "wreimage lock init").await;
    let ttl = Some(Duration::from_millis(TTL));
    let text = rig.lease.0.create(ttl).await.unwrap();
    assert!(text.contains("is created"), "{text}");
    let text = rig.lease.0.create(ttl).await.unwrap();
    assert!(text.contains("is there already"), "{text}");
    refused(&rig, &first, "a short time ago").await;
    rig.pass(TTL);
    rig.lease.acquire(&first).await.unwrap();
    rig.back_up();
    assert!(rig.restore());
    folder(&rig, "is a copy").await;
    assert!(matches!(
        rig.lease.verify(&held(&first)).await,
        Err(LeaseError::Folder(_))
    ));
    // Its run can withdraw its entry all the same; see the tests of entries.
    let text = rig.lease.0.create(ttl).await.unwrap();
    assert!(text.contains("was moved to"), "{text}");
    rig.pass(TTL);
    lost(&rig, &held(&first), "no longer exists").await;
    refused(
        &rig,
        &request("r1", "t2", Some("t1"), resume(&["t1"])),
        "another one",
    )
    .await;
    rig.lease
        .acquire(&request("r2", "t2", None, Right::Begin))
        .await
        .unwrap();
}

/// Whatever step of a take-over it was stopped before, it writes nothing into a folder that was created since.
#[tokio::test]
async fn a_request_that_was_stopped_changes_nothing_in_a_folder_that_is_newer() {
    for at in 1..9 {
        let mut rig = Rig::new(&[]).await;
        let first = request("r1", "t1", None, Right::Begin);
        rig.lease.acquire(&first).await.unwrap();
        rig.pass(TTL);
        let mut over = request("r2", "t2", None, take_over("r1"));
        over.claim.host = host("renamed.lab1.test");
        rig.next(Fate::Stop(at));
        assert!(rig.lease.acquire(&over).await.is_err());
        rig.lose();
        let ttl = Some(Duration::from_millis(TTL));
        rig.lease.0.create(ttl).await.unwrap();
        rig.pass(TTL);
        let third = request("r3", "t3", None, Right::Begin);
        rig.lease.acquire(&third).await.unwrap();
        rig.way.catch_up();
        let kept = rig.lease.verify(&held(&third)).await;
        assert!(kept.is_ok(), "stopped before step {at}: {kept:?}");
        assert_eq!(rig.lease.list().await.unwrap().claims.len(), 1, "step {at}");
    }
}
