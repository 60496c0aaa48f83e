//! Each rule of the protocol, on claims as a server reads them under its lock.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::{acquire, break_claim, in_the_way, release, renew, verify};
use crate::lease::{
    Acquire, Claim, ClaimState, ClaimedHost, ControllerId, FORMAT, HeldClaim, JournalMark,
    LeaseError, Observation, ObservedClaim, Right, Token,
};

const TTL: u64 = 300_000;

fn token(name: &str) -> Token {
    Token(name.to_owned())
}

fn host(fqdn: &str, serial: &str) -> ClaimedHost {
    ClaimedHost {
        fqdn: fqdn.to_owned(),
        serial: Some(serial.to_owned()),
        ..ClaimedHost::default()
    }
}

fn mark(length: u64) -> JournalMark {
    JournalMark {
        length,
        sum: format!("sum{length}"),
    }
}

/// A claim of the run A on host1001, with ten records.
fn claim(name: &str) -> Claim {
    Claim {
        format: FORMAT,
        host: host("host1001.example", "S1"),
        run: "A".to_owned(),
        token: token(name),
        state: ClaimState::Held,
        controller: ControllerId {
            name: "controller1001".to_owned(),
            boot_id: "boot1".to_owned(),
            lock_inode: 7,
        },
        actor: "alice".to_owned(),
        uid: 1000,
        phase: "install".to_owned(),
        acquisition: 3,
        journal: mark(10),
    }
}

fn there(claim: Claim, age_ms: u64) -> Observation {
    observed(vec![(claim, age_ms)])
}

fn observed(claims: Vec<(Claim, u64)>) -> Observation {
    Observation {
        claims: claims
            .into_iter()
            .map(|(claim, age_ms)| ObservedClaim {
                claim,
                age_ms,
                is_fresh: age_ms < TTL,
            })
            .collect(),
        ttl_ms: TTL,
        settling_ms: 0,
    }
}

/// The run B wants the host.
fn begin(over: Option<&str>, right: Right) -> Acquire {
    Acquire {
        claim: Claim {
            run: "B".to_owned(),
            ..claim("new")
        },
        over: over.map(token),
        right,
    }
}

/// The run A continues over the claim with this token.
fn resume(over: &str, tokens: &[&str], length: u64) -> Acquire {
    Acquire {
        claim: Claim {
            journal: mark(length),
            ..claim("new")
        },
        over: Some(token(over)),
        right: Right::Resume {
            tokens: tokens.iter().map(|it| token(it)).collect(),
        },
    }
}

fn take_over(run: &str) -> Right {
    Right::TakeOver {
        run: run.to_owned(),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, LeaseError>, words: &str) {
    match result {
        Err(LeaseError::Refused { why, .. }) => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn lost<T: std::fmt::Debug>(result: Result<T, LeaseError>, words: &str) {
    match result {
        Err(LeaseError::Lost(why)) => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    }
}

const FRESH: u64 = TTL - 1;
const STALE: u64 = TTL;

#[test]
fn a_run_begins_where_no_claim_keeps_it_away() {
    let free = observed(Vec::new());
    let acquired = acquire(&free, &begin(None, Right::Begin)).unwrap();
    assert_eq!(acquired.claim.acquisition, 1);
    assert_eq!(acquired.claim.state, ClaimState::Held);
    for (state, age) in [
        (ClaimState::Released, 0),
        (ClaimState::Released, STALE),
        (ClaimState::Broken, STALE),
    ] {
        let before = Claim {
            state,
            ..claim("t1")
        };
        let acquired = acquire(&there(before, age), &begin(Some("t1"), Right::Begin)).unwrap();
        assert_eq!(acquired.claim.acquisition, 4, "{state:?}");
    }
}

#[test]
fn a_fresh_claim_refuses_every_rival_and_names_its_run() {
    for right in [Right::Begin, take_over("A")] {
        let request = begin(Some("t1"), right);
        let result = acquire(&there(claim("t1"), FRESH), &request);
        refused(
            result.clone(),
            "run A of alice on controller1001 (fresh, phase install, last heartbeat 5 min ago)",
        );
        refused(result, "that run is alive");
    }
}

#[test]
fn a_stale_claim_needs_its_run_to_be_named() {
    let stale = there(claim("t1"), STALE);
    refused(
        acquire(&stale, &begin(Some("t1"), Right::Begin)),
        "`--take-over A`",
    );
    refused(
        acquire(&stale, &begin(Some("t1"), take_over("C"))),
        "`--take-over A`",
    );
    let acquired = acquire(&stale, &begin(Some("t1"), take_over("A"))).unwrap();
    assert_eq!(acquired.claim.run, "B");
}

#[test]
fn a_broken_claim_keeps_everybody_away_until_it_is_stale() {
    let broken = Claim {
        state: ClaimState::Broken,
        ..claim("t1")
    };
    let fresh = there(broken.clone(), FRESH);
    refused(
        acquire(&fresh, &begin(Some("t1"), take_over("A"))),
        "an operator broke the claim",
    );
    refused(
        acquire(&fresh, &resume("t1", &["t1"], 10)),
        "an operator broke the claim",
    );
    // Nobody took the host since: the run itself may continue.
    acquire(&there(broken, STALE), &resume("t1", &["t1"], 10)).unwrap();
}

#[test]
fn a_claim_that_changed_since_it_was_shown_is_refused() {
    let stale = there(claim("t2"), STALE);
    refused(
        acquire(&stale, &begin(Some("t1"), take_over("A"))),
        "has changed since it was shown",
    );
    refused(
        acquire(&stale, &begin(None, take_over("A"))),
        "has changed since it was shown",
    );
    refused(
        acquire(&observed(Vec::new()), &begin(Some("t1"), Right::Begin)),
        "now it is free",
    );
}

#[test]
fn the_same_request_again_is_answered_and_not_executed() {
    let mine = there(
        Claim {
            run: "B".to_owned(),
            ..claim("new")
        },
        0,
    );
    let acquired = acquire(&mine, &begin(None, Right::Begin)).unwrap();
    assert!(acquired.is_repeated);
    assert_eq!(acquired.claim.acquisition, 3);
    // A late copy of the request does not bring back what is over.
    for state in [ClaimState::Broken, ClaimState::Released] {
        let over = Claim {
            state,
            ..claim("new")
        };
        refused(
            acquire(&there(over, STALE), &begin(None, Right::Begin)),
            "by now",
        );
    }
}

#[test]
fn a_run_resumes_only_over_its_own_last_acquisition() {
    let stale = there(claim("t1"), STALE);
    acquire(&stale, &resume("t1", &["t0", "t1"], 10)).unwrap();
    refused(
        acquire(&stale, &resume("t1", &["t0"], 10)),
        "a copy of this run",
    );
    let other = Claim {
        run: "B".to_owned(),
        state: ClaimState::Released,
        ..claim("t2")
    };
    refused(
        acquire(&there(other, STALE), &resume("t2", &["t1"], 10)),
        "another run",
    );
    let none = Acquire {
        over: None,
        ..resume("t1", &["t1"], 10)
    };
    refused(acquire(&observed(Vec::new()), &none), "no longer exists");
}

#[test]
fn a_shorter_journal_never_resumes() {
    let stale = there(claim("t1"), STALE);
    refused(
        acquire(&stale, &resume("t1", &["t1"], 9)),
        "9 durable records, and 10",
    );
    let mut other = resume("t1", &["t1"], 10);
    other.claim.journal.sum = "another".to_owned();
    refused(acquire(&stale, &other), "another copy");
    acquire(&stale, &resume("t1", &["t1"], 11)).unwrap();
}

#[test]
fn a_fresh_claim_of_its_own_is_acquired_only_from_the_same_boot_and_state() {
    let fresh = there(claim("t1"), FRESH);
    acquire(&fresh, &resume("t1", &["t1"], 10)).unwrap();
    let elsewhere = |change: fn(&mut ControllerId)| {
        let mut request = resume("t1", &["t1"], 10);
        change(&mut request.claim.controller);
        request
    };
    for request in [
        elsewhere(|it| it.boot_id = "boot2".to_owned()),
        elsewhere(|it| it.lock_inode = 8),
    ] {
        refused(acquire(&fresh, &request), "a copy of it");
        acquire(&there(claim("t1"), STALE), &request).unwrap();
    }
}

#[test]
fn nobody_acquires_while_the_server_settles_but_a_resume_over_its_own_held_claim() {
    let mut settling = there(claim("t1"), FRESH);
    settling.settling_ms = 60_000;
    acquire(&settling, &resume("t1", &["t1"], 10)).unwrap();
    let mut free = observed(Vec::new());
    free.settling_ms = 60_000;
    refused(acquire(&free, &begin(None, Right::Begin)), "another 60 s");
    let mut released = there(
        Claim {
            state: ClaimState::Released,
            ..claim("t1")
        },
        STALE,
    );
    released.settling_ms = 1;
    refused(
        acquire(&released, &resume("t1", &["t1"], 10)),
        "started lately",
    );
}

/// A renamed host, an alias, a second site file.
#[test]
fn the_same_machine_under_another_name_is_a_rivals() {
    let renamed = Claim {
        host: host("old.example", "s1"),
        ..claim("t1")
    };
    let request = |right| begin(None, right);
    refused(
        acquire(&there(renamed.clone(), FRESH), &request(take_over("A"))),
        "old.example is claimed",
    );
    refused(
        acquire(&there(renamed.clone(), STALE), &request(Right::Begin)),
        "`--take-over A`",
    );
    // What was acquired under the old name is gone: the old run notices by its next verification.
    let acquired = acquire(&there(renamed, STALE), &request(take_over("A"))).unwrap();
    assert_eq!(acquired.removed, ["old.example"]);
}

#[test]
fn a_claim_of_a_later_version_is_refused() {
    let later = Claim {
        format: FORMAT + 1,
        ..claim("t1")
    };
    let result = acquire(
        &there(later.clone(), STALE),
        &begin(Some("t1"), take_over("A")),
    );
    assert!(matches!(result, Err(LeaseError::Folder(why)) if why.contains("format")));
    let verified = verify(&there(later, 0).claims, &held("t1", 10));
    assert!(matches!(verified, Err(LeaseError::Folder(_))));
}

fn held(name: &str, length: u64) -> HeldClaim {
    HeldClaim {
        host: host("host1001.example", "S1"),
        run: "A".to_owned(),
        token: token(name),
        phase: "enrol".to_owned(),
        journal: mark(length),
    }
}

#[test]
fn a_verification_writes_the_journal_down_and_never_lets_it_fall() {
    let claims = there(claim("t1"), STALE).claims;
    let verified = verify(&claims, &held("t1", 12)).unwrap();
    assert_eq!(verified.journal, mark(12));
    assert_eq!(verified.phase, "enrol");
    assert_eq!(verified.acquisition, 3);
    lost(
        verify(&claims, &held("t1", 9)),
        "a copy of the run is ahead",
    );
    let mut other = held("t1", 10);
    other.journal.sum = "another".to_owned();
    lost(verify(&claims, &other), "a copy of the run is ahead");
    // A renewal that was overtaken is no copy.
    let renewed = renew(&claims, &held("t1", 9)).unwrap();
    assert_eq!(renewed.journal, mark(10));
    assert_eq!(renew(&claims, &held("t1", 12)).unwrap().journal, mark(12));
}

#[test]
fn a_claim_that_is_foreign_broken_released_or_missing_is_lost() {
    let foreign = there(claim("t2"), 0).claims;
    lost(verify(&foreign, &held("t1", 10)), "another acquisition");
    lost(renew(&foreign, &held("t1", 10)), "another acquisition");
    lost(release(&foreign, &held("t1", 10)), "another acquisition");
    lost(verify(&[], &held("t1", 10)), "is missing");
    for (state, words) in [
        (ClaimState::Broken, "an operator broke"),
        (ClaimState::Released, "is released"),
    ] {
        let over = Claim {
            state,
            ..claim("t1")
        };
        let claims = there(over, 0).claims;
        lost(verify(&claims, &held("t1", 10)), words);
        lost(renew(&claims, &held("t1", 10)), words);
    }
}

#[test]
fn release_and_break_keep_token_length_and_sum() {
    let claims = there(claim("t1"), 0).claims;
    let released = release(&claims, &held("t1", 12)).unwrap();
    assert_eq!(released.state, ClaimState::Released);
    assert_eq!(
        (released.token.clone(), released.journal.clone()),
        (token("t1"), mark(12))
    );
    // Once more is no error: its answer was lost.
    let again = there(released, 0).claims;
    release(&again, &held("t1", 12)).unwrap();

    let broken = break_claim(&claims, "HOST1001.example", &token("t1")).unwrap();
    assert_eq!(broken.state, ClaimState::Broken);
    assert_eq!((broken.token, broken.journal), (token("t1"), mark(10)));
    refused(
        break_claim(&claims, "host1001.example", &token("t0")),
        "has changed since it was shown",
    );
    refused(
        break_claim(&again, "host1001.example", &token("t1")),
        "keeps no run away",
    );
}

#[test]
fn what_is_in_the_way_is_held_by_another_or_broken_lately() {
    let claims = there(claim("t1"), STALE).claims;
    assert!(in_the_way(&claims, &[]).is_some());
    assert!(in_the_way(&claims, &[token("t1")]).is_none());
    let broken = Claim {
        state: ClaimState::Broken,
        ..claim("t1")
    };
    assert!(in_the_way(&there(broken.clone(), FRESH).claims, &[]).is_some());
    assert!(in_the_way(&there(broken, STALE).claims, &[]).is_none());
}
