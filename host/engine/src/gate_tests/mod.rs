//! The gate's promises, with providers that answer as told.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod calls;
mod cancel;
mod checks;
mod consent;
mod doubt;
mod first_boot;
mod host_key;
mod identity;
mod lease;
mod ledger;
mod made_up;
mod pooled;
mod rehearsal;
mod replay;
mod restarts;
mod undo;
mod waits;

use crate::gate::call_context::CallContext;
use crate::gate::context::RunContext;
use crate::gate::run_gate::RunGate;
use crate::guest::grants::{Absent, Grants};
use crate::lease::Holder;
use crate::ledger::Ledger;
use crate::ledger::state::State;
use crate::record::recorder::Recorder;
use crate::run::cancel::Cancel;
use crate::run::consent::GivenConsent;
use crate::run::operator::{Given, Operator};
use crate::run::stop::Stop;
use jiff::Timestamp;
use made_up::{agent, balancer, board, inside, netboot, register};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use wreimage_capability::{
    Answer, BoxFuture, Call, Caller, Clock, Dispatch, Fault, FaultKind, Function, HOST_KEY_REFUSED,
    InstallerMarks, PinnedBoot, Polled, Providers, Reconciled,
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
                Err(Fault::denied(HOST_KEY_REFUSED, "host1001", "another boot"))
            }
            _ => Ok(()),
        }
    }

    /// The answer to a read of a check.
    fn check(&self, function: &Function, arguments: &Value) -> Option<Result<Answer, Fault>> {
        let is_check = match function.name {
            "get-owner" | "get-host" | "get-port" | "get-system" => true,
            "get-machine" => arguments == &json!({ "at": "Production" }),
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

impl RunGate {
    /// A call of the guest itself.
    async fn call_by_guest(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: Value,
    ) -> Result<Result<Value, Fault>, Stop> {
        self.call(CallContext::of_guest(Caller::Guest, function, &arguments))
            .await
    }
}

struct Setup {
    gate: Arc<RunGate>,
    log: Arc<MemoryLog>,
    board: Arc<Script>,
    netboot: Arc<Script>,
    inside: Arc<Script>,
}

impl Setup {
    fn new() -> Self {
        Setup::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut RunGate)) -> Self {
        let log = Arc::new(MemoryLog::new());
        let script = || Arc::new(Script::default());
        let (board, netboot, inside) = (script(), script(), script());
        let mut providers = Providers::new();
        providers.add(("board", board.clone()));
        providers.add(("netboot", netboot.clone()));
        providers.add(("inside", inside.clone()));
        let clock: Arc<dyn Clock> = Arc::new(TestClock::default());
        let recorder = Arc::new(Recorder::new(
            log.clone(),
            None,
            clock,
            crate::record::redact::Redaction::default(),
        ));
        let context = RunContext {
            catalogue: made_up::catalogue(),
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
            depools: false,
            keeps_system: true,
            installer_marks: InstallerMarks::default(),
            site_tables: vec![],
            given_host_key: None,
            console: Some("console host1001".to_owned()),
            unordered: None,
            resumable: false,
        };
        let ledger = Ledger::new(context.catalogue, InstallerMarks::default());
        let mut state = State::new(ledger, providers);
        // Most tests begin after consent.
        state.ledger_mut().consented = true;
        state.is_fresh = true;
        let mut gate = RunGate {
            context,
            holder: Holder::new(None, recorder.clone(), "r"),
            recorded_keys: None,
            waits: None,
            fence: None,
            consent: Arc::new(GivenConsent("host1001".to_owned())),
            operator: Arc::new(Answers(Mutex::default())),
            observer: None,
            twin: None,
            cancel: Cancel::new(),
            mutating: tokio::sync::Mutex::new(()),
            recorder,
            cursor: Mutex::new(None),
            state: Mutex::new(state),
        };
        change(&mut gate);
        Setup {
            gate: Arc::new(gate),
            log,
            board,
            netboot,
            inside,
        }
    }

    async fn call(&self, function: &'static Function, arguments: Value) -> Result<Value, Fault> {
        self.gate.call_by_guest(function, arguments).await.unwrap()
    }

    fn undone(&self) -> Vec<(String, UndoState)> {
        let state = self.gate.state();
        state
            .undo
            .closed
            .iter()
            .map(|c| (c.inverse.clone(), c.state))
            .collect()
    }
}

const PUBLISH: &Function = &netboot::functions::offer;
const WITHDRAW: &Function = &netboot::functions::withdraw;
const GET_PUBLISHED: &Function = &netboot::functions::get_offer;
const SET_POWER: &Function = &board::functions::switch;
const SET_BOOT: &Function = &board::functions::set_override;
const POWER_STATE: &Function = &board::functions::get_state;
const WAIT: &Function = &inside::functions::await_boot;

fn wait_arguments() -> Value {
    json!({"at": "Either", "policy": {"deadline_ms": 1000, "interval_ms": 300}})
}
