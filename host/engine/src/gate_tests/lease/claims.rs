//! When a claim is requested, verified, lost and released.

use super::*;

#[tokio::test]
async fn a_once_call_is_verified_after_its_intent_and_gets_what_is_left() {
    let it = leased();
    it.called(SET_POWER).await.unwrap().unwrap();
    assert_eq!(it.server.asked(), ["observe", "acquire", "verify"]);
    let request = it.server.acquires.lock().unwrap()[0].clone();
    assert_eq!((request.over, request.right), (None, Right::Begin));
    let entries = it.setup.log.entries();
    let intent = entries
        .iter()
        .position(|entry| matches!(entry.record, Record::Intent(_)))
        .unwrap();
    let verified = it.server.verified.lock().unwrap()[0].clone();
    assert_eq!(verified.journal.length, intent as u64 + 1);
    let (_, claim, until) = it.board.0.lock().unwrap()[0].clone();
    assert_eq!(claim.unwrap().token, Token("t0".to_owned()));
    // The margin is subtracted.
    let left = until.unwrap().saturating_duration_since(Instant::now());
    assert!(left <= Duration::from_millis(TTL - 10_000), "{left:?}");
    assert!(left > Duration::from_millis(TTL - 40_000), "{left:?}");
}

#[tokio::test]
async fn other_intents_are_covered_by_what_was_confirmed_before() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    assert_eq!(it.server.asked(), ["observe", "acquire"]);
    it.time.pass(60_000);
    it.called(PUBLISH).await.unwrap().unwrap();
    assert!(it.server.asked().is_empty());
    assert!(it.netboot.0.lock().unwrap()[1].1.is_some());
    // The boot device is another run's as well as this one's.
    it.called(SET_BOOT).await.unwrap().unwrap();
    assert_eq!(it.server.asked(), ["verify"]);
    // What is no longer valid is asked for.
    it.time.pass(290_000);
    it.called(PUBLISH).await.unwrap().unwrap();
    assert_eq!(it.server.asked(), ["verify"]);
}

#[tokio::test]
async fn a_fresh_foreign_claim_refuses_the_run_before_anything_is_touched() {
    let it = leased_with(&["A"], |gate| {
        gate.state.get_mut().unwrap().ledger_mut().consented = false;
    });
    it.server.claims.lock().unwrap().push(foreign("A", true));
    match it.called(PUBLISH).await {
        Err(Stop::Refused(why)) => {
            for words in ["run A of bob on controller2001", "Nothing was touched"] {
                assert!(why.contains(words), "{why}");
            }
        }
        other => panic!("{other:?}"),
    }
    assert!(it.netboot.called().is_empty());
    assert_eq!(it.server.asked(), ["observe"]);
}

#[tokio::test]
async fn a_stale_claim_is_taken_over_only_by_name_and_consent_shows_it() {
    let it = leased();
    it.server.claims.lock().unwrap().push(foreign("A", false));
    assert!(matches!(
        it.called(PUBLISH).await,
        Err(Stop::Refused(why)) if why.contains("--take-over A")
    ));
    let it = leased_with(&["A"], |_| {});
    it.server.claims.lock().unwrap().push(foreign("A", false));
    let mut known = Known::default();
    it.setup.gate.observe_lease(&mut known).await.unwrap();
    let caution = &known.cautions[0];
    for words in [
        "run A of bob on controller2001",
        "phase install",
        "5 min ago",
    ] {
        assert!(caution.contains(words), "{caution}");
    }
    it.called(PUBLISH).await.unwrap().unwrap();
    let request = it.server.acquires.lock().unwrap()[0].clone();
    assert_eq!(request.over, Some(Token("other".to_owned())));
    assert_eq!(
        request.right,
        Right::TakeOver {
            run: "A".to_owned()
        }
    );
}

#[tokio::test]
async fn a_rehearsal_writes_nothing_and_shows_the_claim() {
    let it = leased_with(&[], |gate| gate.context.dry_run = true);
    it.server.claims.lock().unwrap().push(foreign("A", true));
    let mut known = Known::default();
    it.setup.gate.observe_lease(&mut known).await.unwrap();
    assert!(known.cautions[0].contains("run A of bob"));
    it.setup.gate.ensure_lease().await.unwrap();
    assert_eq!(it.server.asked(), ["observe"]);
    assert!(it.setup.log.entries().is_empty());
}

#[tokio::test]
async fn a_refused_request_touches_nothing() {
    let it = leased();
    it.server
        .will([Does::Confirms, Does::Refuses("taken meanwhile")]);
    match it.called(SET_POWER).await {
        Err(Stop::Refused(why)) => assert!(why.contains("taken meanwhile"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(it.board.called().is_empty());
}

#[tokio::test]
async fn a_request_whose_answer_is_lost_is_sent_again_with_the_same_token() {
    let it = leased();
    it.server
        .will([Does::Confirms, Does::SaysNothing, Does::SaysNothing]);
    it.called(PUBLISH).await.unwrap().unwrap();
    let tokens: Vec<_> = it
        .server
        .acquires
        .lock()
        .unwrap()
        .iter()
        .map(|it| it.claim.token.0.clone())
        .collect();
    assert_eq!(tokens, ["t0", "t0", "t0"]);
}

#[tokio::test]
async fn without_an_answer_for_one_life_the_call_is_not_made_and_the_run_pauses() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    let before = it.time.uptime();
    it.server.will(vec![Does::SaysNothing; 1000]);
    let stopped = it.called(SET_POWER).await;
    it.paused(stopped, "board.switch was not called");
    let waited = it.time.uptime().saturating_sub(before);
    assert!(waited >= Duration::from_millis(TTL), "{waited:?}");
    assert!(waited < Duration::from_millis(TTL + 30_000), "{waited:?}");
    assert!(it.board.called().is_empty());
    let entries = it.setup.log.entries();
    assert!(matches!(
        entries.last().unwrap().record,
        Record::Withheld { call: 2, .. }
    ));
}

#[tokio::test]
async fn a_server_that_is_back_within_one_life_stops_nothing() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.server.will(vec![Does::SaysNothing; 50]);
    it.called(SET_POWER).await.unwrap().unwrap();
    assert_eq!(it.board.called(), ["board.switch"]);
}

#[tokio::test]
async fn an_answer_that_comes_after_the_validity_counts_for_nothing() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.server
        .will([Does::ConfirmsAfter(i64::try_from(TTL).unwrap() - 9_000)]);
    let stopped = it.called(SET_POWER).await;
    it.paused(stopped, "came too late");
    assert!(it.board.called().is_empty());
}

#[tokio::test]
async fn a_claim_that_is_lost_between_intent_and_call_stops_every_further_change() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.server.will([Does::Loses("taken over by run B")]);
    let stopped = it.called(SET_POWER).await;
    it.paused(stopped, "taken over by run B");
    it.server.asked();
    let stopped = it.called(PUBLISH).await;
    it.paused(stopped, "wreimage cleanup r");
    // It is known: the server is not asked again.
    assert!(it.server.asked().is_empty());
    // The entry was read before the restart, and nothing was changed after that.
    assert_eq!(it.netboot.called(), ["netboot.offer", "netboot.get-offer"]);
    assert!(it.board.called().is_empty());
}

#[tokio::test]
async fn a_renewal_that_finds_the_claim_broken_pauses_the_next_change() {
    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    let lost = Err(LeaseError::Lost("an operator broke it".to_owned()));
    it.setup.gate.holder.renewed(Duration::ZERO, lost);
    let stopped = it.called(PUBLISH).await;
    it.paused(stopped, "an operator broke it");
}

#[tokio::test]
async fn without_its_claim_a_run_undoes_only_what_names_its_run() {
    let it = leased();
    it.called(SET_BOOT).await.unwrap().unwrap();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.setup.gate.holder.lose("taken over by run B");
    it.setup.gate.state().ledger_mut().closing = true;
    it.setup.gate.reverse_all().await.unwrap();
    assert_eq!(
        it.setup.undone(),
        [
            ("netboot.withdraw".to_owned(), UndoState::Done),
            ("board.clear-override".to_owned(), UndoState::Left),
        ]
    );
    assert_eq!(it.board.called(), ["board.set-override"]);
    // Its claim is another's: the server goes by the run.
    assert!(it.netboot.0.lock().unwrap()[1].1.is_none());
}

#[tokio::test]
async fn a_claim_lost_while_it_undoes_leaves_the_boot_override() {
    let it = leased();
    it.called(SET_BOOT).await.unwrap().unwrap();
    it.setup.gate.state().ledger_mut().closing = true;
    it.server.will([Does::Loses("taken over by run B")]);
    it.setup.gate.reverse_all().await.unwrap();
    let state = it.setup.gate.state();
    assert_eq!(state.undo.closed[0].state, UndoState::Failed);
    assert!(state.undo.closed[0].text.contains("taken over by run B"));
    drop(state);
    assert_eq!(it.board.called(), ["board.set-override"]);
}

#[tokio::test]
async fn an_end_releases_or_reports_the_claim_as_left() {
    let it = leased();
    assert_eq!(it.setup.gate.release_lease().await, None);
    it.called(PUBLISH).await.unwrap().unwrap();
    assert_eq!(it.setup.gate.release_lease().await, None);
    assert_eq!(it.setup.gate.holder.standing(), Standing::Released);

    let it = leased();
    it.called(PUBLISH).await.unwrap().unwrap();
    it.server.will(vec![Does::SaysNothing; 1000]);
    let left = it.setup.gate.release_lease().await.unwrap();
    assert!(left.contains("wreimage lock break host1001"), "{left}");
}
