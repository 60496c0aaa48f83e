//! The claim of a run that another process continues.

use super::*;

/// The records of a run that had acquired and changed something.
fn earlier() -> Vec<Entry> {
    let token = Token("t-before".to_owned());
    let requested = LeaseRequested {
        token: token.clone(),
        host: ClaimedHost {
            fqdn: "host1001".to_owned(),
            ..ClaimedHost::default()
        },
        take_over: None,
    };
    vec![
        entry(1, Record::LeaseRequested(Box::new(requested))),
        entry(
            2,
            Record::LeaseAcquired {
                token,
                acquisition: 1,
            },
        ),
    ]
}

fn of_before(token: &str) -> ObservedClaim {
    let mut own = foreign("r", true);
    own.claim.token = Token(token.to_owned());
    own
}

#[tokio::test]
async fn a_resumed_run_acquires_over_its_own_claim() {
    let it = leased();
    it.setup.gate.holder.learn(&earlier());
    *it.server.claims.lock().unwrap() = vec![of_before("t-before")];
    it.setup.gate.take_up_lease(false).await.unwrap();
    let request = it.server.acquires.lock().unwrap()[0].clone();
    let tokens = vec![Token("t-before".to_owned())];
    assert_eq!(request.right, Right::Resume { tokens });
    assert_eq!(request.over, Some(Token("t-before".to_owned())));
    // The record of the request itself makes up for nothing that is missing.
    assert_eq!(request.claim.journal, JournalMark::default());
    it.called(SET_POWER).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_resumed_run_whose_host_another_run_has_changes_nothing() {
    for claims in [vec![foreign("B", false)], Vec::new()] {
        let it = leased();
        it.setup.gate.holder.learn(&earlier());
        *it.server.claims.lock().unwrap() = claims;
        let stopped = it.setup.gate.take_up_lease(false).await;
        it.paused(stopped, "wreimage cleanup r");
        assert!(it.server.acquires.lock().unwrap().is_empty());
        // Its cleanup acquires nothing either.
        it.setup.gate.take_up_lease(true).await.unwrap();
        assert!(matches!(it.setup.gate.holder.standing(), Standing::Lost(_)));
        assert!(it.server.acquires.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_request_that_never_arrived_begins_again_with_a_new_consent() {
    let it = leased_with(&[], |gate| {
        gate.state.get_mut().unwrap().ledger_mut().consented = false;
    });
    let requested = earlier().remove(0);
    it.setup.gate.holder.learn(&[requested]);
    it.setup.gate.take_up_lease(false).await.unwrap();
    let consented = Record::Consented {
        first: "netboot.offer".to_owned(),
        known: Vec::new(),
        shown: Vec::new(),
    };
    it.setup.gate.state().apply(&consented, from_millis(0));
    assert!(!it.setup.gate.state().may_change());
}
