//! The scripts judge as the pure functions do that the lab applies: the same cases are given to both.

use super::requests::{controller, held, request};
use super::rig::{Rig, TTL};
use crate::install_server::encode;
use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, HeldClaim, JournalMark, Lease, LeaseError, LeaseResult,
    Observation, ObservedClaim, Right, Token, judgement,
};

const STATES: [ClaimState; 3] = [ClaimState::Held, ClaimState::Broken, ClaimState::Released];
/// Of a claim that is fresh, and of one that is stale by the least.
const AGES: [u64; 2] = [TTL - 1000, TTL];
const OWN: &str = "host1.lab1.test";

fn mark(length: u64, sum: &str) -> JournalMark {
    JournalMark {
        length,
        sum: sum.to_owned(),
    }
}

/// A claim as the folder has it, with five records.
fn observed(fqdn: &str, run: &str, token: &str, state: ClaimState, age_ms: u64) -> ObservedClaim {
    let mut claim = request(run, token, None, Right::Begin).claim;
    claim.host.fqdn = fqdn.to_owned();
    claim.state = state;
    claim.acquisition = if fqdn == OWN { 3 } else { 7 };
    claim.journal = mark(5, "a5");
    ObservedClaim {
        claim,
        age_ms,
        is_fresh: age_ms < TTL,
    }
}

/// Writes the claims of a case into the folder, and nothing else, as the scripts write them.
fn write(rig: &Rig, there: &Observation) {
    let claims = rig.lease_folder().join("claims");
    for file in std::fs::read_dir(&claims).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    for it in &there.claims {
        let claim = &it.claim;
        let text = |value: &Option<String>| encode(value.as_deref().unwrap_or_default());
        let state = match claim.state {
            ClaimState::Held => "held",
            ClaimState::Broken => "broken",
            ClaimState::Released => "released",
        };
        let host = &claim.host;
        let lines = [
            ("format", claim.format.to_string()),
            ("fqdn", encode(&host.fqdn)),
            ("serial", text(&host.serial)),
            ("uuid", text(&host.uuid)),
            ("mac", text(&host.mac)),
            ("bmc", text(&host.bmc)),
            ("run", encode(&claim.run)),
            ("token", encode(&claim.token.0)),
            ("state", state.to_owned()),
            ("controller", encode(&claim.controller.name)),
            ("controller-boot", encode(&claim.controller.boot_id)),
            ("lock-inode", claim.controller.lock_inode.to_string()),
            ("actor", encode(&claim.actor)),
            ("uid", claim.uid.to_string()),
            ("phase", encode(&claim.phase)),
            ("acquisition", claim.acquisition.to_string()),
            ("length", claim.journal.length.to_string()),
            ("sum", encode(&claim.journal.sum)),
            ("boot", "boot-1".to_owned()),
            ("uptime-ms", (rig.now - it.age_ms).to_string()),
            ("end", "1".to_owned()),
        ];
        let lines = lines.map(|(key, value)| format!("{key}={value}\n"));
        std::fs::write(claims.join(&host.fqdn), lines.concat()).unwrap();
    }
    let file = rig.lease_folder().join("folder");
    let text = std::fs::read_to_string(&file).unwrap();
    let created = rig.now - (TTL - there.settling_ms);
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some(("uptime-ms", _)) => format!("uptime-ms={created}\n"),
        _ => format!("{line}\n"),
    });
    std::fs::write(&file, lines.collect::<String>()).unwrap();
}

async fn listed(rig: &Rig) -> Vec<ObservedClaim> {
    rig.lease.list().await.unwrap().claims
}

fn observation(claims: &[Option<ObservedClaim>], settling_ms: u64) -> Observation {
    Observation {
        claims: claims.iter().flatten().cloned().collect(),
        ttl_ms: TTL,
        settling_ms,
    }
}

fn take_over(run: &str) -> Right {
    Right::TakeOver {
        run: run.to_owned(),
    }
}

/// The run r1, whose journal knows the token t1, wants the host.
fn wanted(over: Option<Token>, right: Right) -> Acquire {
    let mut request = request("r1", "new", None, right);
    request.claim.journal = mark(6, "a6");
    request.over = over;
    request
}

/// All that can be there under the host's own name: nothing, a claim of this run, one of another run.
fn own_claims() -> Vec<Option<ObservedClaim>> {
    let mut all = vec![None];
    for state in STATES {
        for age in AGES {
            all.push(Some(observed(OWN, "r1", "t1", state, age)));
            all.push(Some(observed(OWN, "r9", "t9", state, age)));
        }
    }
    all
}

fn acquisitions() -> Vec<(Observation, Acquire)> {
    let mut rivals = vec![None];
    for state in STATES {
        for age in AGES {
            let rival = observed("old.lab1.test", "r9", "t8", state, age);
            rivals.push(Some(rival));
        }
    }
    let resume = || Right::Resume {
        tokens: vec![Token("t0".to_owned()), Token("t1".to_owned())],
    };
    let mut cases = Vec::new();
    for own in own_claims() {
        let token = own.as_ref().map(|own| own.claim.token.clone());
        for right in [Right::Begin, take_over("r9"), take_over("r5"), resume()] {
            for rival in &rivals {
                let there = observation(&[own.clone(), rival.clone()], 0);
                cases.push((there, wanted(token.clone(), right.clone())));
            }
            // What was observed is not what is there, and a server that has not settled.
            let other = token.is_none().then(|| Token("t1".to_owned()));
            let there = observation(std::slice::from_ref(&own), 0);
            cases.push((there, wanted(other, right.clone())));
            let there = observation(std::slice::from_ref(&own), TTL / 2);
            cases.push((there, wanted(token.clone(), right.clone())));
        }
        // The same request again.
        if let Some(mut same) = own.clone().filter(|own| own.claim.run == "r1") {
            same.claim.token = Token("new".to_owned());
            cases.push((observation(&[Some(same)], 0), wanted(None, Right::Begin)));
        }
        // Journals that are shorter, equal, another one of equal length; and a copy of the state folder.
        for (length, sum) in [(4, "a4"), (5, "a5"), (5, "b5"), (6, "a6")] {
            for inode in [1, 2] {
                let mut request = wanted(token.clone(), resume());
                request.claim.journal = mark(length, sum);
                request.claim.controller = controller("r1", inode);
                cases.push((observation(std::slice::from_ref(&own), 0), request));
            }
        }
    }
    cases
}

/// Each fifth case; `WREIMAGE_LEASE_CASES=all` judges all of them.
#[tokio::test]
async fn an_acquisition_is_judged_as_in_the_lab() {
    let rig = Rig::new(&[]).await;
    let step = if std::env::var_os("WREIMAGE_LEASE_CASES").is_some() {
        1
    } else {
        5
    };
    let (mut confirmed, mut refused) = (0, 0);
    for (there, request) in acquisitions().into_iter().step_by(step) {
        write(&rig, &there);
        let expected = judgement::acquire(&there, &request);
        let answer = rig.lease.acquire(&request).await;
        let case = format!("{there:#?}\n{request:#?}\n{expected:?}\n{answer:?}");
        let after = listed(&rig).await;
        match (expected, answer) {
            (Ok(acquired), Ok(answer)) => {
                confirmed += 1;
                assert_eq!(answer.acquisition, acquired.claim.acquisition, "{case}");
                let claims: Vec<&Claim> = after.iter().map(|it| &it.claim).collect();
                assert_eq!(claims, [&acquired.claim], "{case}");
                assert_eq!(after[0].age_ms == 0, !acquired.is_repeated, "{case}");
            }
            (Err(_), Err(LeaseError::Refused { .. })) => {
                refused += 1;
                let mut before = there.claims.clone();
                before.sort_by(|one, other| one.claim.host.fqdn.cmp(&other.claim.host.fqdn));
                assert_eq!(after, before, "something was written: {case}");
            }
            _ => panic!("{case}"),
        }
    }
    assert!(confirmed > 20 && refused > 40, "{confirmed} {refused}");
    assert_eq!(*rig.way.errors.lock().unwrap(), "");
}

/// The claim that is there after a request which was confirmed, or nothing new after another one.
async fn compare(
    rig: &Rig,
    there: &Observation,
    what: &str,
    expected: LeaseResult<Claim>,
    answer: LeaseResult<()>,
) {
    let after = listed(rig).await;
    let case = format!("{what}: {there:#?}\n{expected:?}\n{answer:?}");
    match (expected, answer) {
        (Ok(expected), Ok(())) => {
            let was = &there.claims[0];
            // A release that is repeated writes nothing.
            if !(what == "release" && was.claim.state == ClaimState::Released) {
                assert_eq!(after[0].claim, expected, "{case}");
            }
            let is_heartbeat = matches!(what, "verify" | "renew");
            let age = if is_heartbeat { 0 } else { was.age_ms };
            assert_eq!(after[0].age_ms, age, "{case}");
        }
        (Err(_), Err(LeaseError::Refused { .. } | LeaseError::Lost(_))) => {
            assert_eq!(after, there.claims, "something was written: {case}");
        }
        _ => panic!("{case}"),
    }
}

#[tokio::test]
async fn what_a_holder_asks_is_judged_as_in_the_lab() {
    let rig = Rig::new(&[]).await;
    for own in own_claims() {
        let is_own = own.as_ref().is_some_and(|own| own.claim.run == "r1");
        let there = observation(&[own], 0);
        let journals = [(6, "a6"), (4, "a4"), (5, "a5"), (5, "b5")];
        let most = if is_own { journals.len() } else { 1 };
        for (length, sum) in journals.into_iter().take(most) {
            let claim = HeldClaim {
                journal: mark(length, sum),
                ..held(&request("r1", "t1", None, Right::Begin))
            };
            let claims = &there.claims;
            write(&rig, &there);
            let answer = rig.lease.verify(&claim).await.map(|_| ());
            let expected = judgement::verify(claims, &claim);
            compare(&rig, &there, "verify", expected, answer).await;
            write(&rig, &there);
            let answer = rig.lease.renew(std::slice::from_ref(&claim)).await.unwrap();
            let answer = answer.into_iter().next().unwrap().map(|_| ());
            let expected = judgement::renew(claims, &claim);
            compare(&rig, &there, "renew", expected, answer).await;
            write(&rig, &there);
            let answer = rig.lease.release(&claim).await;
            let expected = judgement::release(claims, &claim);
            compare(&rig, &there, "release", expected, answer).await;
        }
        write(&rig, &there);
        let token = Token("t1".to_owned());
        let answer = rig.lease.break_claim(OWN, &token).await;
        let expected = judgement::break_claim(&there.claims, OWN, &token);
        compare(&rig, &there, "break", expected, answer).await;
    }
    assert_eq!(*rig.way.errors.lock().unwrap(), "");
}
