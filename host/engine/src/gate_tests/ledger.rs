//! What a run knows is a fold of its records: a journal that is cut anywhere gives what the live run knew there.

use super::made_up::{authority, reports, ticket};
use super::*;
use proptest::prelude::*;
use wreimage_capability::run;

/// One thing that happens to a run.
#[derive(Debug, Clone)]
enum Step {
    /// The guest calls this function with these arguments, and the system answers so. What the host itself reads meanwhile is
    /// answered by the rest.
    Call(usize, usize, Vec<usize>),
    Begin,
    End,
    Warn,
    Cancel,
    Reverse,
    /// The machine is exchanged for another one.
    Exchange,
}

fn functions() -> Vec<&'static Function> {
    let served = made_up::catalogue().iter();
    served
        .filter(|it| it.server == wreimage_capability::Server::Provider)
        .flat_map(|it| it.functions.iter().copied())
        .collect()
}

fn arguments(which: usize) -> Value {
    let all = [
        json!({}),
        json!({ "at": "Installer" }),
        json!({ "at": "Production" }),
        json!({ "device": "Disk" }),
        json!({ "device": "Pxe" }),
        json!({ "action": "Off" }),
        json!({ "action": "Cycle" }),
        json!({ "serving": false }),
        json!({ "status": "Active" }),
        json!({ "policy": { "deadline_ms": 1, "interval_ms": 1 } }),
    ];
    all[which % all.len()].clone()
}

fn answer(which: usize) -> Result<Answer, Fault> {
    let all = [
        Ok(Value::Null),
        Ok(json!(true)),
        Ok(json!(false)),
        Ok(json!({ "digest": "1" })),
        Ok(json!({ "digest": "2" })),
        Ok(json!({ "device": "Pxe" })),
        Ok(json!({ "device": "None" })),
        Ok(json!({ "serial": "S1" })),
        Ok(json!({ "serial": "S2" })),
        Ok(identity::device(&[], "S1")),
        Ok(json!({ "at": "Installer", "id": "b1", "kernel": "preseed/url=x", "key": "SHA256:k1" })),
        Ok(json!({ "at": "Installer", "id": "b2", "kernel": "root=/dev/sda" })),
        Ok(json!({ "at": "Production", "id": "b3" })),
        Ok(json!({ "enabled": true })),
        Ok(json!(["nginx"])),
        Err(Fault::denied("x", "y", "no")),
        Err(Fault::timeout("x", "y", "late")),
        Err(Fault::unreachable("x", "y", "gone")),
        Err(Fault::in_doubt("x", "y", "lost")),
    ];
    all[which % all.len()].clone().map(Polled::Ready)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..functions().len(), 0..10usize, prop::collection::vec(0..19usize, 1..6))
            .prop_map(|(function, arguments, answers)| Step::Call(function, arguments, answers)),
        1 => Just(Step::Begin),
        1 => Just(Step::End),
        1 => Just(Step::Warn),
        1 => Just(Step::Cancel),
        1 => Just(Step::Reverse),
        1 => Just(Step::Exchange),
    ]
}

/// A run without consent, all of whose systems answer from one queue.
fn run(resumable: bool) -> (Setup, Arc<Script>) {
    let script = Arc::new(Script::default());
    script.reads("get-host", Ok(identity::device(&[], "S1")));
    script.reads("get-owner", Ok(identity::info("S1")));
    let served = script.clone();
    let setup = Setup::with(move |gate| {
        gate.context.resumable = resumable;
        gate.operator = Arc::new(Answers(Mutex::new(VecDeque::from([
            "repeat", "happened", "abort",
        ]))));
        let state = gate.state.get_mut().unwrap();
        for capability in [
            board::CAPABILITY.name,
            netboot::CAPABILITY.name,
            inside::CAPABILITY.name,
            agent::CAPABILITY.name,
            register::CAPABILITY.name,
            balancer::CAPABILITY.name,
            authority::CAPABILITY.name,
            reports::CAPABILITY.name,
            ticket::CAPABILITY.name,
        ] {
            state.providers.add((capability, served.clone()));
        }
        state.ledger_mut().consented = false;
        state.is_fresh = false;
        state.trace = Some(Vec::new());
    });
    (setup, script)
}

async fn take(setup: &Setup, script: &Script, step: Step) {
    // Whatever ends a call is as good as any other: only what is recorded and known counts.
    match step {
        Step::Call(function, with, answers) => {
            script
                .answers
                .lock()
                .unwrap()
                .extend(answers.into_iter().map(answer));
            let _ended = setup
                .gate
                .call_by_guest(functions()[function], arguments(with))
                .await;
            script.answers.lock().unwrap().clear();
        }
        Step::Begin => {
            let begin = json!({ "phase": "install", "name": "Wait", "expected_ms": null });
            let _ended = setup
                .gate
                .call_by_guest(&run::functions::step_begin, begin)
                .await;
        }
        Step::End => {
            let end = json!({ "level": "Warning", "text": "late", "evidence": [] });
            let _ended = setup
                .gate
                .call_by_guest(&run::functions::step_end, end)
                .await;
        }
        Step::Warn => {
            let _ended = setup.gate.warn("the BMC is slow".to_owned());
        }
        Step::Cancel => setup.gate.cancel.cancel(),
        Step::Exchange => script.reads("get-owner", Ok(identity::info("S2"))),
        Step::Reverse => {
            let _ended = setup.gate.reverse_all().await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_cut_anywhere_gives_what_the_live_run_knew_there(
        steps in prop::collection::vec(step(), 1..24), resumable: bool, is_ended: bool
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (setup, script) = run(resumable);
        let mut folded = Ledger::new(made_up::catalogue(), InstallerMarks::default());
        runtime.block_on(async {
            for step in steps {
                take(&setup, &script, step).await;
            }
            if is_ended {
                let _ended = setup.gate.record(Record::GuestEnded(wreimage_journal::GuestEnd::Cancelled));
                let _ended = setup.gate.reverse_all().await;
            }
        });
        let live = setup.gate.state().trace.take().unwrap();
        let mut live = live.iter().peekable();
        for entry in setup.log.entries() {
            let before = format!("{folded:?}");
            folded.apply(&entry.record, entry.time);
            let now = format!("{folded:?}");
            match live.next_if(|(record, _)| *record == entry.record) {
                Some((_, knew)) => prop_assert_eq!(now, format!("{:?}", knew)),
                // Hints are recorded and change nothing.
                None => prop_assert_eq!(now, before),
            }
        }
        prop_assert!(live.next().is_none());
    }
}

#[test]
fn the_steps_of_the_property_reach_what_a_run_can_know() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (setup, script) = run(true);
    let call = |function: &'static Function, with, answers: &[usize]| {
        let all = functions();
        let index = all.iter().position(|it| std::ptr::eq(*it, function));
        Step::Call(index.unwrap(), with, answers.to_vec())
    };
    runtime.block_on(async {
        for step in [
            call(PUBLISH, 0, &[3]),
            call(SET_POWER, 6, &[3, 0]),
            call(WAIT, 9, &[10, 7]),
            Step::Begin,
            Step::End,
        ] {
            take(&setup, &script, step).await;
        }
    });
    let state = setup.gate.state();
    assert!(
        state.consented && state.touched,
        "{:?}",
        setup.log.entries()
    );
    assert!(state.undo.is_known(1) || !state.undo.entries().is_empty());
    assert!(state.restarts.any() && state.facts.wiped);
    assert_eq!(state.notes.steps.len(), 1);
}
