//! The gate's promises, with providers that answer as told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cancel;
mod checks;
mod consent;
mod doubt;
mod first_boot;
mod host_key;
mod identity;
mod lease;
mod replay;
mod restarts;
mod undo;

use crate::cancel::Cancel;
use crate::consent::GivenConsent;
use crate::gate::Course;
use crate::grants::{Absent, Grants};
use crate::lease::Holder;
use crate::operator::{Given, Operator};
use crate::recorder::Recorder;
use crate::state::State;
use crate::stop::Stop;
use crate::twin::{Seen, Twin, TwinMaker};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use wreimage_capability::{
    Answer, BoxFuture, Call, Clock, Dispatch, Fault, FaultKind, Function, PinnedBoot, Polled,
    Providers, Reconciled, dhcp, ipmi, netbox, remote,
};
use wreimage_journal::{MemoryLog, OnFailure, Origin, Question, Reality, Record, UndoState};

/// Answers from a queue; without one, with null. Remembers what was called. What a check reads is answered apart, always in
/// the same way, and is not among the calls.
#[derive(Default)]
struct Script {
    checks: Mutex<BTreeMap<&'static str, Result<Value, Fault>>>,
    answers: Mutex<VecDeque<Result<Answer, Fault>>>,
    reconciled: Mutex<VecDeque<Reconciled>>,
    called: Mutex<Vec<String>>,
    made: Mutex<Vec<Option<Value>>>,
    /// The last call, as the provider saw it.
    seen: Mutex<Option<Call>>,
    /// The boot in which the machine answers at the installer identity.
    boot: Mutex<Option<PinnedBoot>>,
}

impl Script {
    fn answer(&self, answer: Result<Value, Fault>) {
        self.answers
            .lock()
            .unwrap()
            .push_back(answer.map(Polled::Ready));
    }

    fn called(&self) -> Vec<String> {
        self.called.lock().unwrap().clone()
    }

    /// From here on, this is what a check reads.
    fn reads(&self, name: &'static str, answer: Result<Value, Fault>) {
        self.checks.lock().unwrap().insert(name, answer);
    }

    /// The boot at the installer identity must be the one that the run has accepted, or may accept now.
    fn enter(&self, call: &Call, arguments: &Value) -> Result<(), Fault> {
        let boot = self.boot.lock().unwrap().clone();
        match (boot, &call.pinned) {
            _ if arguments.get("at") != Some(&json!("Installer")) => Ok(()),
            (Some(boot), None) => call.pin(boot),
            (Some(boot), Some(accepted)) if boot != **accepted => {
                Err(Fault::denied("remote.host-key", "host1001", "another boot"))
            }
            _ => Ok(()),
        }
    }

    /// The answer to a read of a check.
    fn check(&self, function: &Function, arguments: &Value) -> Option<Result<Answer, Fault>> {
        let is_check = match function.name {
            "get-device-info" | "get-device" | "get-switch-port" | "get-os-release" => true,
            "get-dmi" => arguments == &json!({ "at": "Production" }),
            _ => false,
        };
        let nothing = || {
            Err(Fault::unsupported(
                "test.nothing",
                "the test",
                format!("{function} has no answer"),
            ))
        };
        let checks = self.checks.lock().unwrap();
        is_check.then(|| {
            let answer = checks.get(function.name).cloned();
            answer.unwrap_or_else(nothing).map(Polled::Ready)
        })
    }
}

impl Dispatch for Script {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        if let Some(answer) = self.check(function, arguments) {
            return Box::pin(async move { answer });
        }
        *self.seen.lock().unwrap() = Some(call.clone());
        self.called.lock().unwrap().push(function.to_string());
        self.made.lock().unwrap().push(call.made.clone());
        if let Err(fault) = self.enter(call, arguments) {
            return Box::pin(async move { Err(fault) });
        }
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move { answer.unwrap_or(Ok(Polled::Ready(Value::Null))) })
    }

    fn witness<'a>(
        &'a self,
        _call: &'a Call,
        _function: &'static Function,
        _arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(async { Ok(json!({"power": "on"})) })
    }

    fn reconcile<'a>(
        &'a self,
        _call: &'a Call,
        _function: &'static Function,
        _arguments: &'a Value,
        witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>> {
        assert_eq!(witness, &json!({"power": "on"}));
        let next = self.reconciled.lock().unwrap().pop_front();
        Box::pin(async move { Ok(next.unwrap_or(Reconciled::Unknown("nothing".to_owned()))) })
    }
}

/// Moves only when somebody sleeps.
#[derive(Default)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()> {
        self.0.fetch_max(time.as_millisecond(), Ordering::SeqCst);
        Box::pin(async {})
    }
}

struct Answers(Mutex<VecDeque<&'static str>>);

impl Operator for Answers {
    fn ask<'a>(&'a self, _question: &'a Question) -> BoxFuture<'a, Result<Given, Fault>> {
        let answer = self.0.lock().unwrap().pop_front();
        Box::pin(async move {
            answer
                .map(|choice| Given {
                    choice: choice.to_owned(),
                    by: "tester".to_owned(),
                })
                .ok_or_else(|| Fault::denied("operator.nobody", "wreimage", "nobody"))
        })
    }
}

struct Setup {
    course: Arc<Course>,
    log: Arc<MemoryLog>,
    ipmi: Arc<Script>,
    dhcp: Arc<Script>,
    remote: Arc<Script>,
}

impl Setup {
    fn new() -> Self {
        Setup::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Course)) -> Self {
        let log = Arc::new(MemoryLog::new());
        let script = || Arc::new(Script::default());
        let (ipmi, dhcp, remote) = (script(), script(), script());
        let mut providers = Providers::new();
        providers.add(("ipmi", ipmi.clone()));
        providers.add(("dhcp", dhcp.clone()));
        providers.add(("remote", remote.clone()));
        let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
        let recorder = Arc::new(Recorder::new(
            log.clone(),
            None,
            clock,
            crate::redact::Redaction::default(),
        ));
        let mut course = Course {
            holder: Holder::new(None, recorder.clone(), "r"),
            unordered: None,
            run: "r".to_owned(),
            host: "host1001".to_owned(),
            site: "lab1".to_owned(),
            actor: "a".to_owned(),
            controller: "controller1001".to_owned(),
            options: vec![],
            guest: "g".to_owned(),
            digest: "d".to_owned(),
            capabilities: vec![],
            plugs: vec![],
            may_mutate: true,
            on_failure: OnFailure::Undo,
            dry_run: false,
            grants: Grants::all("the test"),
            absent: Absent::new(),
            protected_tags: vec!["protected".to_owned()],
            unrelated_guids: vec![],
            identity_optional: true,
            target_release: None,
            site_tables: vec![],
            given_host_key: None,
            recorded_keys: None,
            keeps_system: true,
            console: Some("console host1001".to_owned()),
            waits: None,
            fence: None,
            resumable: false,
            consent: Arc::new(GivenConsent("host1001".to_owned())),
            operator: Arc::new(Answers(Mutex::default())),
            observer: None,
            twin: None,
            cancel: Cancel::new(),
            mutating: tokio::sync::Mutex::new(()),
            recorder,
            past: Mutex::new(None),
            state: Mutex::new(State {
                providers,
                // Most tests begin after consent.
                allowed: true,
                is_fresh: true,
                ..State::default()
            }),
        };
        change(&mut course);
        Setup {
            course: Arc::new(course),
            log,
            ipmi,
            dhcp,
            remote,
        }
    }

    async fn call(&self, function: &'static Function, arguments: Value) -> Result<Value, Fault> {
        self.course
            .call(function, arguments, Origin::Guest)
            .await
            .unwrap()
    }

    fn undone(&self) -> Vec<(String, UndoState)> {
        let state = self.course.state();
        state
            .undo
            .closed
            .iter()
            .map(|c| (c.inverse.clone(), c.state))
            .collect()
    }
}

const PUBLISH: &Function = &dhcp::functions::publish;
const WITHDRAW: &Function = &dhcp::functions::withdraw;
const GET_PUBLISHED: &Function = &dhcp::functions::get_published;
const SET_POWER: &Function = &ipmi::functions::set_power;
const SET_BOOT: &Function = &ipmi::functions::set_boot_device;
const POWER_STATE: &Function = &ipmi::functions::get_power_state;
const WAIT: &Function = &remote::functions::wait_for_boot;

#[tokio::test]
async fn what_is_not_granted_is_denied_by_name_and_not_called() {
    let setup =
        Setup::with(|course| course.grants = Grants::only(["dhcp".to_owned()], "the site file x"));
    let fault = setup.call(POWER_STATE, json!({})).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    assert!(
        fault.message.contains("ipmi.get-power-state") && fault.message.contains("the site file x")
    );
    assert!(setup.ipmi.called().is_empty());
}

#[tokio::test]
async fn an_absent_capability_is_unsupported() {
    let setup = Setup::with(|course| course.absent = ["ipmi".to_owned()].into());
    let fault = setup.call(POWER_STATE, json!({})).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unsupported);
    assert!(setup.ipmi.called().is_empty());
}

#[tokio::test]
async fn a_guest_that_says_it_only_reads_cannot_change_anything() {
    let setup = Setup::with(|course| course.may_mutate = false);
    let fault = setup.call(SET_POWER, json!({})).await.unwrap_err();
    assert_eq!(fault.code, "gate.read-only");
    assert!(setup.ipmi.called().is_empty());
}

#[tokio::test]
async fn without_consent_nothing_is_touched() {
    let setup = Setup::with(|course| {
        course.consent = Arc::new(GivenConsent("host1002".to_owned()));
        course.state.get_mut().unwrap().allowed = false;
        // Nobody to compare with: the refusal must come from the missing consent alone.
        course.absent = ["ipmi".to_owned(), "netbox".to_owned()].into();
    });
    let stop = setup
        .course
        .call(PUBLISH, json!({}), Origin::Guest)
        .await
        .unwrap_err();
    assert!(
        matches!(&stop, Stop::Refused(why) if why.contains("host1002") && why.contains("Nothing was touched"))
    );
    assert!(setup.dhcp.called().is_empty());
    assert!(!setup.course.state().touched);
}

#[tokio::test]
async fn an_intent_stands_in_the_record_before_the_outcome() {
    let setup = Setup::new();
    setup
        .call(SET_POWER, json!({"action": "Cycle"}))
        .await
        .unwrap();
    let records: Vec<Record> = setup.log.entries().into_iter().map(|e| e.record).collect();
    let at = records
        .iter()
        .position(|it| matches!(it, Record::Intent(_)));
    let records = &records[at.unwrap()..];
    assert!(matches!(&records[0], Record::Intent(i) if i.witness == Some(json!({"power": "on"}))));
    assert!(matches!(&records[1], Record::Outcome(o) if o.result.is_ok() && o.call == 1));
}

#[tokio::test]
async fn closing_words_cannot_make_what_nobody_would_take_back() {
    let setup = Setup::new();
    setup.course.state().closing = true;
    let fault = setup.call(PUBLISH, json!({})).await.unwrap_err();
    assert_eq!(fault.code, "gate.closing");
    assert!(setup.dhcp.called().is_empty());
}

#[tokio::test]
async fn a_cancel_in_the_closing_words_does_not_change_them() {
    let setup = Setup::new();
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.course.state().closing = true;
    setup.course.cancel.cancel();
    assert!(setup.call(POWER_STATE, json!({})).await.is_ok());
    assert!(setup.call(SET_POWER, json!({})).await.is_ok());
    assert!(!setup.course.state().cancelled);
}

fn patience() -> Value {
    json!({"since": {"boot_id": null, "time_ms": 0}, "at": "Either", "patience": {"deadline_ms": 1000, "interval_ms": 300}})
}

#[tokio::test]
async fn a_wait_looks_once_more_after_its_deadline_and_is_one_call() {
    let script = Arc::new(Script::default());
    for _ in 0..20 {
        script
            .answers
            .lock()
            .unwrap()
            .push_back(Ok(Polled::pending("in POST")));
    }
    let setup = Setup::with(|course| {
        course
            .state
            .get_mut()
            .unwrap()
            .providers
            .add(("remote", script.clone()));
    });
    let fault = setup.call(WAIT, patience()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Timeout);
    assert!(
        fault.message.contains("in POST") && fault.message.contains("console host1001"),
        "{}",
        fault.message
    );
    // At 0, 300, 600, 900 and once more at 1000 ms.
    assert_eq!(script.called().len(), 5);
    let outcomes = setup
        .log
        .entries()
        .into_iter()
        .filter(|e| matches!(e.record, Record::Outcome(_)));
    assert_eq!(outcomes.count(), 1);
}

#[tokio::test]
async fn a_wait_outlives_what_may_pass_and_ends_with_what_may_not() {
    let script = Arc::new(Script::default());
    let setup = Setup::with(|course| {
        course
            .state
            .get_mut()
            .unwrap()
            .providers
            .add(("remote", script.clone()));
    });
    script.answer(Err(Fault::unreachable("x", "y", "not yet")));
    script.answer(Ok(json!("boot")));
    assert_eq!(setup.call(WAIT, patience()).await, Ok(json!("boot")));
    script.answer(Err(Fault::denied("x", "y", "never")));
    assert_eq!(
        setup.call(WAIT, patience()).await.unwrap_err().kind,
        FaultKind::Denied
    );
}

/// The machine sleeps for two hours in the first pause that somebody makes.
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
    let script = Arc::new(Script::default());
    for _ in 0..20 {
        script
            .answers
            .lock()
            .unwrap()
            .push_back(Ok(Polled::pending("in POST")));
    }
    let setup = Setup::with(|course| {
        course.recorder.set_clock(Arc::new(Suspended::default()));
        let mut state = course.state();
        state.providers.add(("remote", script.clone()));
    });
    let made = json!({"location": "a", "digest": "1", "text": "", "matches": "", "extra": []});
    setup.dhcp.answer(Ok(made));
    setup.call(PUBLISH, json!({})).await.unwrap();
    let fault = setup.call(WAIT, patience()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Timeout);
    // At 0, then after the sleep at 300, 600, 900 and 1000 ms of the time in which somebody looked.
    assert_eq!(script.called().len(), 5);
    // Its entry was gone, and is published again.
    assert_eq!(
        setup.dhcp.called(),
        ["dhcp.publish", "dhcp.get-published", "dhcp.publish"]
    );
}

#[tokio::test]
async fn after_a_cancel_the_guest_is_told_and_undo_still_works() {
    let setup = Setup::new();
    setup.call(PUBLISH, json!({})).await.unwrap();
    setup.course.cancel.cancel();
    assert_eq!(
        setup.call(SET_POWER, json!({})).await.unwrap_err().kind,
        FaultKind::Cancelled
    );
    setup.course.state().closing = true;
    setup.course.take_back().await.unwrap();
    assert_eq!(setup.dhcp.called(), ["dhcp.publish", "dhcp.withdraw"]);
}

struct ScriptTwin(Arc<Script>, Mutex<Vec<String>>);

impl TwinMaker for ScriptTwin {
    fn make(&self, _host: &str, seen: &[Seen], _clock: &dyn Clock) -> Result<Twin, String> {
        *self.1.lock().unwrap() = seen.iter().map(|s| s.function.to_string()).collect();
        let mut providers = Providers::new();
        providers.add(("ipmi", self.0.clone()));
        Ok(Twin {
            providers,
            clock: Arc::new(TestClock::default()),
        })
    }
}

#[tokio::test]
async fn a_rehearsal_goes_into_its_twin_at_the_first_mutation_and_real_systems_see_none() {
    let maker = Arc::new(ScriptTwin(Arc::new(Script::default()), Mutex::default()));
    let setup = Setup::with(|course| {
        course.dry_run = true;
        course.twin = Some(maker.clone());
        let state = course.state.get_mut().unwrap();
        state.allowed = false;
        state.rehearses = true;
        course.absent = ["netbox".to_owned()].into();
    });
    setup.call(POWER_STATE, json!({})).await.unwrap();
    setup.call(SET_POWER, json!({})).await.unwrap();
    setup.call(POWER_STATE, json!({})).await.unwrap();
    assert_eq!(setup.ipmi.called(), ["ipmi.get-power-state"]);
    assert_eq!(maker.0.called(), ["ipmi.set-power", "ipmi.get-power-state"]);
    assert_eq!(*maker.1.lock().unwrap(), ["ipmi.get-power-state"]);
    assert!(!setup.course.state().touched);
    let realities: Vec<Reality> = setup
        .log
        .entries()
        .into_iter()
        .filter_map(|e| match e.record {
            Record::Outcome(outcome) if outcome.origin == Origin::Guest => Some(outcome.reality),
            _ => None,
        })
        .collect();
    assert_eq!(
        realities,
        [Reality::Real, Reality::Assumed, Reality::Assumed]
    );
}

#[tokio::test]
async fn the_engine_answers_every_function_that_it_serves() {
    let served = wreimage_capability::ALL
        .iter()
        .filter(|capability| capability.server == wreimage_capability::Server::Engine)
        .flat_map(|capability| capability.functions);
    let mut asked = 0;
    for function in served {
        let answer = Setup::new().call(function, json!({})).await;
        let unknown = matches!(&answer, Err(fault) if fault.code == "gate.unknown-function");
        assert!(!unknown, "{function}: {answer:?}");
        asked += 1;
    }
    assert!(asked > 5, "{asked}");
}
