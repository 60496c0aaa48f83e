//! Going on from records: what was begun, asked and cancelled before.

use super::*;
use crate::replay::cursor::ReplayMatch;
use wreimage_capability::{Effect, operator};
use wreimage_journal::{Answered, Entry, Intent, Outcome};

const CONFIRM: &Function = &operator::functions::confirm;

fn entries(records: Vec<Record>) -> Vec<Entry> {
    records
        .into_iter()
        .zip(1..)
        .map(|(record, number)| Entry {
            number,
            time: Timestamp::UNIX_EPOCH,
            record,
        })
        .collect()
}

fn begun(function: &Function, call: u64) -> Record {
    Record::Intent(Intent {
        call,
        function: function.to_string(),
        effect: function.effect,
        origin: Origin::Guest,
        component: None,
        arguments: json!({}),
        witness: (function.effect == Effect::Once).then(|| json!({"power": "on"})),
    })
}

fn asked(call: u64, question: &str) -> Record {
    let choice = |key: &str| (key.to_owned(), key.to_owned());
    Record::Question(Question {
        call,
        question: question.to_owned(),
        choices: vec![choice("yes"), choice("no")],
        consent: false,
    })
}

fn answered(call: u64, answer: &str) -> Record {
    Record::Answer(Answered {
        call,
        answer: answer.to_owned(),
        by: "tester".to_owned(),
    })
}

fn after(records: Vec<Record>) -> Setup {
    let setup = Setup::new();
    setup.gate.has_past(entries(records));
    setup
}

async fn stopped(setup: &Setup, function: &'static Function, arguments: Value) -> Stop {
    let ended = setup.gate.call_by_guest(function, arguments).await;
    ended.unwrap_err()
}

fn world_says(setup: &Setup, verdict: Reconciled) {
    setup.board.reconciled.lock().unwrap().push_back(verdict);
}

fn operator_says(setup: &mut Setup, answers: &[&'static str]) {
    let gate = Arc::get_mut(&mut setup.gate).unwrap();
    gate.operator = Arc::new(Answers(Mutex::new(answers.iter().copied().collect())));
}

/// Answers were left for it.
struct Left(&'static str);

impl Operator for Left {
    fn given(&self, _question: &Question) -> Option<Given> {
        Some(Given {
            choice: self.0.to_owned(),
            by: "somebody".to_owned(),
        })
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Given, Fault>> {
        panic!("asked: {question:?}")
    }
}

#[tokio::test]
async fn a_recorded_answer_is_acted_on_whatever_the_world_says_by_now() {
    let setup = after(vec![
        begun(SET_POWER, 1),
        asked(1, "did it?"),
        answered(1, "abort"),
    ]);
    world_says(&setup, Reconciled::DidNot);
    let stop = stopped(&setup, SET_POWER, json!({})).await;
    assert!(matches!(stop, Stop::InDoubt(_)), "{stop}");
    assert!(setup.board.called().is_empty());
}

#[tokio::test]
async fn a_left_answer_counts_like_a_recorded_one_and_is_recorded() {
    let mut setup = after(vec![begun(SET_POWER, 1), asked(1, "did it?")]);
    world_says(&setup, Reconciled::DidNot);
    Arc::get_mut(&mut setup.gate).unwrap().operator = Arc::new(Left("happened"));
    assert_eq!(setup.call(SET_POWER, json!({})).await, Ok(Value::Null));
    assert!(setup.board.called().is_empty());
    let by = setup.log.entries().into_iter().find_map(|entry| {
        let Record::Answer(answer) = entry.record else {
            return None;
        };
        Some(answer.by)
    });
    assert_eq!(by.as_deref(), Some("somebody"));
}

#[tokio::test]
async fn without_an_answer_the_world_is_asked_before_the_operator() {
    let setup = after(vec![begun(SET_POWER, 1), asked(1, "did it?")]);
    world_says(&setup, Reconciled::happened());
    assert_eq!(setup.call(SET_POWER, json!({})).await, Ok(Value::Null));
}

#[tokio::test]
async fn an_answer_is_spent_by_the_try_that_it_led_to() {
    let mut setup = after(vec![
        begun(SET_POWER, 1),
        asked(1, "did it?"),
        answered(1, "repeat"),
    ]);
    operator_says(&mut setup, &["abort"]);
    let lost = Fault::timeout("board.timeout", "BMC", "no answer");
    setup.board.answer(Err(lost));
    let stop = stopped(&setup, SET_POWER, json!({})).await;
    assert!(matches!(stop, Stop::InDoubt(_)), "{stop}");
    assert_eq!(setup.board.called(), ["board.switch"]);
}

fn made(function: &Function, call: u64, result: Result<Value, Fault>) -> Record {
    Record::Outcome(Outcome {
        component: None,
        call,
        function: function.to_string(),
        effect: function.effect,
        origin: Origin::Guest,
        arguments: json!({}),
        result,
        reality: Reality::Real,
        took_ms: 0,
    })
}

fn boot_flags(device: &str) -> Value {
    let one_shot = json!({
        "device": device
    });
    one_shot
}

/// A BMC forgets an override within a minute: before the restart that it was set for is made again, it is looked at.
#[tokio::test]
async fn a_restart_that_did_not_happen_is_not_repeated_without_what_was_set_for_it() {
    let past = vec![
        begun(SET_BOOT, 1),
        made(SET_BOOT, 1, Ok(boot_flags("Pxe"))),
        begun(SET_POWER, 2),
    ];
    for (now, called) in [
        (
            "None",
            vec!["board.get-override", "board.set-override", "board.switch"],
        ),
        ("Pxe", vec!["board.get-override", "board.switch"]),
    ] {
        let setup = Setup::new();
        setup.gate.has_past(entries(past.clone()));
        setup
            .gate
            .replay(CallContext::of_guest(Caller::Guest, SET_BOOT, &json!({})))
            .unwrap();
        world_says(&setup, Reconciled::DidNot);
        setup.board.answer(Ok(boot_flags(now)));
        setup.board.answer(Ok(boot_flags("Pxe")));
        setup.call(SET_POWER, json!({})).await.unwrap();
        assert_eq!(setup.board.called(), called);
    }
    // One that has happened has used it up.
    let setup = Setup::new();
    setup.gate.has_past(entries(past));
    setup
        .gate
        .replay(CallContext::of_guest(Caller::Guest, SET_BOOT, &json!({})))
        .unwrap();
    world_says(&setup, Reconciled::happened());
    setup.call(SET_POWER, json!({})).await.unwrap();
    assert!(setup.board.called().is_empty());
}

/// What a refused restart left is not used up either, for the processes that come later.
#[tokio::test]
async fn after_a_restart_that_did_not_happen_a_resumed_run_looks_at_what_was_set_for_it() {
    let fault = Fault::conflict("board.machine-is-off", "BMC", "it is off");
    let setup = after(vec![
        begun(SET_BOOT, 1),
        made(SET_BOOT, 1, Ok(boot_flags("Pxe"))),
        begun(SET_POWER, 2),
        made(SET_POWER, 2, Err(fault)),
    ]);
    for function in [SET_BOOT, SET_POWER] {
        setup
            .gate
            .replay(CallContext::of_guest(Caller::Guest, function, &json!({})))
            .unwrap();
    }
    setup.board.answer(Ok(boot_flags("Pxe")));
    setup.call(PUBLISH, json!({})).await.unwrap();
    assert_eq!(setup.board.called(), ["board.get-override"]);
}

fn published(digest: &str) -> Value {
    json!({
        "digest": digest
    })
}

#[tokio::test]
async fn an_entry_of_another_run_in_place_of_ours_pauses_a_resumed_run() {
    let past = vec![begun(PUBLISH, 1), made(PUBLISH, 1, Ok(published("ours")))];
    for (there, called) in [
        (published("another"), vec!["netboot.get-offer"]),
        (published("ours"), vec!["netboot.get-offer"]),
        (Value::Null, vec!["netboot.get-offer", "netboot.offer"]),
    ] {
        let setup = Setup::with(|gate| gate.context.resumable = true);
        setup.gate.has_past(entries(past.clone()));
        setup
            .gate
            .replay(CallContext::of_guest(Caller::Guest, PUBLISH, &json!({})))
            .unwrap();
        let is_foreign = there["digest"] == "another";
        setup.netboot.answer(Ok(there));
        setup.netboot.answer(Ok(published("ours")));
        let ended = setup.gate.call_by_guest(POWER_STATE, json!({})).await;
        assert_eq!(setup.netboot.called(), called);
        match ended {
            Err(Stop::Paused(why)) => assert!(
                is_foreign && why.contains("wreimage cleanup r") && why.contains("It stays"),
                "{why}"
            ),
            other => assert!(!is_foreign && other.is_ok(), "{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_begun_write_is_not_taken_for_one_that_was_never_made() {
    let setup = after(vec![begun(PUBLISH, 1)]);
    setup.gate.cancel.cancel();
    let fault = setup.call(PUBLISH, json!({})).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::InDoubt, "{fault:?}");
    assert!(setup.netboot.called().is_empty());
    // It may be there: it is taken back.
    setup.gate.reverse_all().await.unwrap();
    assert_eq!(setup.netboot.called(), ["netboot.withdraw"]);
}

#[tokio::test]
async fn a_begun_call_is_cleared_up_although_the_run_is_cancelled() {
    let setup = after(vec![begun(SET_POWER, 1)]);
    world_says(&setup, Reconciled::happened());
    setup.gate.cancel.cancel();
    assert_eq!(setup.call(SET_POWER, json!({})).await, Ok(Value::Null));

    let setup = after(vec![begun(SET_POWER, 1)]);
    world_says(&setup, Reconciled::DidNot);
    setup.gate.cancel.cancel();
    let fault = setup.call(SET_POWER, json!({})).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Cancelled);
    assert!(setup.board.called().is_empty());
}

#[tokio::test]
async fn a_cancel_outlives_its_process() {
    let cancel = Record::Signal {
        signal: "cancel".to_owned(),
    };
    let setup = after(vec![cancel]);
    let fault = setup.call(PUBLISH, json!({})).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Cancelled);
    let told = |entry: &Entry| matches!(entry.record, Record::Signal { .. });
    assert!(!setup.log.entries().iter().any(told), "it is told twice");
}

#[tokio::test]
async fn another_question_is_another_call() {
    let setup = after(vec![asked(1, "go on?")]);
    let stop = stopped(&setup, CONFIRM, json!({ "question": "wipe it?" })).await;
    assert!(matches!(stop, Stop::Diverged { .. }), "{stop}");

    let outcome = Record::Outcome(Outcome {
        call: 1,
        function: CONFIRM.to_string(),
        effect: Effect::Ask,
        origin: Origin::Guest,
        component: None,
        arguments: json!({ "question": "go on?" }),
        result: Ok(json!(true)),
        reality: Reality::Real,
        took_ms: 0,
    });
    let all = vec![asked(1, "go on?"), answered(1, "yes"), outcome];
    let setup = after(all.clone());
    let stop = stopped(&setup, CONFIRM, json!({ "question": "wipe it?" })).await;
    assert!(matches!(stop, Stop::Diverged { .. }), "{stop}");
    let setup = after(all);
    let same = json!({ "question": "go on?" });
    assert_eq!(setup.call(CONFIRM, same).await, Ok(json!(true)));
}

#[tokio::test]
async fn what_was_made_by_functions_that_are_gone_is_left() {
    let opened = Record::UndoOpened {
        call: 1,
        inverse: "teleport.back".to_owned(),
        thing: "the teleported rack".to_owned(),
    };
    let setup = after(vec![opened]);
    setup.gate.replay_all();
    let doubts = setup.gate.state().doubts().cloned().collect::<Vec<_>>();
    assert!(doubts[0].contains("the teleported rack"), "{doubts:?}");
}

#[tokio::test]
async fn a_guest_that_dies_before_the_end_of_its_records_is_another_guest() {
    let setup = after(vec![begun(PUBLISH, 1)]);
    let stop = setup.gate.replay_end("out of memory").unwrap_err();
    assert!(stop.to_string().contains("out of memory"), "{stop}");
    assert!(matches!(
        setup
            .gate
            .replay(CallContext::of_guest(Caller::Guest, PUBLISH, &json!({}))),
        Ok(ReplayMatch::Begun(_))
    ));
}

#[tokio::test]
async fn a_warning_of_the_host_leaves_the_recorded_notes_of_the_guest() {
    let began = Record::StepBegan {
        phase: "install".to_owned(),
        name: "Wait".to_owned(),
        expected_ms: None,
    };
    let ended = Record::StepEnded {
        phase: "install".to_owned(),
        name: "Wait".to_owned(),
        level: wreimage_journal::Level::Success,
        text: String::new(),
        evidence: Vec::new(),
        took_ms: 0,
        component: None,
    };
    let flags = &board::functions::get_override;
    let read = made(flags, 1, Ok(boot_flags("None")));
    let setup = after(vec![began.clone(), read, ended.clone()]);
    assert!(setup.gate.replay_note(&began));
    let read = setup.gate.call_by_guest(flags, json!({})).await;
    assert!(read.unwrap().is_ok());
    setup
        .gate
        .warn("the machine cannot be compared".to_owned())
        .unwrap();
    assert!(setup.gate.replay_note(&ended));
}
