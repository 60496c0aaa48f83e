//! Calls that wait.

use super::*;
use wreimage_journal::{Entry, Timer};

/// The host does not come up, however often it is asked.
fn stays_in_post(setup: &Setup) {
    let mut answers = setup.inside.answers.lock().unwrap();
    answers.extend((0..20).map(|_| Ok(Polled::pending("in POST"))));
}

#[tokio::test]
async fn a_wait_looks_once_more_after_its_deadline_and_is_one_call() {
    let setup = Setup::new();
    stays_in_post(&setup);
    let fault = setup.call(WAIT, wait_arguments()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Timeout);
    assert!(
        fault.message.contains("in POST") && fault.message.contains("console host1001"),
        "{}",
        fault.message
    );
    // At 0, 300, 600, 900 and once more at 1000 ms.
    assert_eq!(setup.inside.called().len(), 5);
    let outcomes = setup
        .log
        .entries()
        .into_iter()
        .filter(|e| matches!(e.record, Record::Outcome(_)));
    assert_eq!(outcomes.count(), 1);
}

#[tokio::test]
async fn a_wait_outlives_what_may_pass_and_ends_with_what_may_not() {
    let setup = Setup::new();
    let answer = |answer| setup.inside.answer(answer);
    answer(Err(Fault::unreachable("x", "y", "not yet")));
    answer(Ok(json!("boot")));
    assert_eq!(setup.call(WAIT, wait_arguments()).await, Ok(json!("boot")));
    answer(Err(Fault::denied("x", "y", "never")));
    assert_eq!(
        setup.call(WAIT, wait_arguments()).await.unwrap_err().kind,
        FaultKind::Denied
    );
}

/// The machine sleeps for two hours in the first pause of the run.
#[derive(Default)]
struct Suspended(AtomicI64);

impl Clock for Suspended {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()> {
        let slept = if self.0.load(Ordering::SeqCst) == 0 {
            7_200_000
        } else {
            0
        };
        self.0
            .fetch_max(time.as_millisecond() + slept, Ordering::SeqCst);
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_wait_goes_on_after_a_sleep_of_the_machine_and_what_was_set_is_looked_at() {
    let setup = Setup::with(|gate| gate.recorder.set_clock(Arc::new(Suspended::default())));
    stays_in_post(&setup);
    let made = json!({"digest": "1"});
    setup.netboot.answer(Ok(made));
    setup.call(PUBLISH, json!({})).await.unwrap();
    let fault = setup.call(WAIT, wait_arguments()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Timeout);
    // At 0, then after the sleep at 300, 600, 900 and 1000 ms of the time in which the process was awake.
    assert_eq!(setup.inside.called().len(), 5);
    // Its entry was gone, and is published again.
    assert_eq!(
        setup.netboot.called(),
        ["netboot.offer", "netboot.get-offer", "netboot.offer"]
    );
}

#[test]
fn a_wait_is_extended_by_every_time_in_which_no_process_drove_the_run() {
    let resumed = |undriven_ms| Record::Resumed {
        actor: String::new(),
        controller: String::new(),
        wreimage: String::new(),
        undriven_ms,
    };
    let timer = Record::Timer(Timer {
        call: 1,
        function: "clock.sleep".to_owned(),
        origin: Origin::Guest,
        arguments: json!({}),
        due_ms: 0,
    });
    let records = [resumed(1), timer, resumed(20), resumed(300)];
    let all = records.map(|record| Entry {
        number: 1,
        time: Timestamp::UNIX_EPOCH,
        record,
    });
    assert_eq!(crate::replay::resume::undriven_before(&all), 320);
    let at = |ms| Timestamp::from_millisecond(ms).unwrap();
    assert_eq!(crate::replay::resume::undriven(&all, None, at(70)), 70);
    assert_eq!(
        crate::replay::resume::undriven(&all, Some(at(50)), at(70)),
        20
    );
}
