//! Calls of which nobody knows whether they happened.

use super::*;
use wreimage_journal::GuestEnd;

#[tokio::test]
async fn a_lost_answer_is_cleared_up_by_the_world_and_the_call_not_repeated() {
    let setup = Setup::new();
    setup
        .board
        .answer(Err(Fault::timeout("board.timeout", "BMC", "no answer")));
    setup
        .board
        .reconciled
        .lock()
        .unwrap()
        .push_back(Reconciled::happened());
    assert_eq!(setup.call(SET_POWER, json!({})).await, Ok(Value::Null));
    assert_eq!(setup.board.called(), ["board.switch"]);
}

#[tokio::test]
async fn a_doubt_that_nobody_clears_up_stops_the_run_and_is_left() {
    let setup = Setup::new();
    setup
        .board
        .answer(Err(Fault::timeout("board.timeout", "BMC", "no answer")));
    let stop = setup
        .gate
        .call_by_guest(SET_POWER, json!({}))
        .await
        .unwrap_err();
    assert!(
        matches!(&stop, Stop::InDoubt(why) if why.contains("board.switch")),
        "{stop}"
    );
    assert_eq!(setup.board.called(), ["board.switch"]);
    // It is among what is left when the run ends.
    let mut state = setup.gate.state();
    let end = GuestEnd::Stopped(stop.word().to_owned(), stop.to_string());
    state.apply(&Record::GuestEnded(end), Timestamp::UNIX_EPOCH);
    assert_eq!(state.doubts().count(), 1);
}

#[tokio::test]
async fn a_doubt_that_hurts_nobody_is_the_guests_to_judge() {
    let agent = Arc::new(Script::default());
    let served = agent.clone();
    let setup = Setup::with(|gate| {
        let mut state = gate.state();
        state.providers.add(("agent", served));
    });
    agent.answer(Err(Fault::in_doubt("agent.lost", "agent", "no answer")));
    let timeout = json!({ "timeout": { "timeout_ms": 1000 } });
    let fault = setup
        .call(&agent::functions::trial_run, timeout)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::InDoubt);
    assert!(fault.message.contains("no answer"), "{fault:?}");
    assert!(setup.gate.state().doubts().next().is_none());
}

#[tokio::test]
async fn what_the_world_shows_not_to_have_happened_may_be_tried_again() {
    let setup = Setup::new();
    setup
        .board
        .answer(Err(Fault::in_doubt("board.lost", "BMC", "no answer")));
    setup
        .board
        .reconciled
        .lock()
        .unwrap()
        .push_back(Reconciled::DidNot);
    let fault = setup.call(SET_POWER, json!({})).await.unwrap_err();
    assert!(
        fault.retryable && fault.kind == FaultKind::Unreachable,
        "{fault:?}"
    );
    assert!(
        fault.message.contains("did not happen"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn only_the_operator_can_have_a_doubtful_call_repeated() {
    let setup = Setup::with(|gate| {
        gate.operator = Arc::new(Answers(Mutex::new(["repeat"].into())));
    });
    setup
        .board
        .answer(Err(Fault::timeout("board.timeout", "BMC", "no answer")));
    setup.call(SET_POWER, json!({})).await.unwrap();
    assert_eq!(setup.board.called(), ["board.switch", "board.switch"]);
    let answered = setup
        .log
        .entries()
        .into_iter()
        .any(|e| matches!(e.record, Record::Answer(a) if a.answer == "repeat"));
    assert!(answered);
}
