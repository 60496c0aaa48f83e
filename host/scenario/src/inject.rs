//! Faults between the gate and the providers of the lab.

use crate::context::{CallFacts, CaseFacts, Context, End, RunFacts};
use crate::fault::{Deed, Rule, Trigger};
use crate::invariant::Invariants;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use wreimage_capability::{
    Answer, BoxFuture, Call, Dispatch, Fault, FaultKind, Function, Polled, Providers, Reconciled,
};
use wreimage_engine::Cancel;
use wreimage_journal::MemoryLog;
use wreimage_lab::{Lab, Situation};

/// A secret that stands in what providers say in a sweep. Whoever finds it in a journal or a report has found a leak.
pub(crate) const SECRET: &str = "hunter2-canary-8c1f";

/// One run on its stage: the data centre around it, and what goes wrong.
pub(crate) struct Stage {
    pub lab: Lab,
    pub host: String,
    pub task: Option<String>,
    pub log: Arc<MemoryLog>,
    pub rules: Vec<Rule>,
    pub invariants: Invariants,
    pub case: CaseFacts,
    pub undisturbed: Option<Arc<End>>,
    pub before: Situation,
    pub began: Timestamp,
    /// The host dies.
    pub crash: Notify,
    pub state: Mutex<State>,
}

/// What has happened on it.
#[derive(Default)]
pub(crate) struct State {
    /// The cancel of the process that drives the run now.
    pub cancel: Cancel,
    /// Numbers of the calls of each function, in order.
    seen: BTreeMap<String, Vec<u64>>,
    /// How often each rule has been applied.
    fired: Vec<u64>,
    /// Calls before which the invariants have been judged.
    judged: BTreeSet<u64>,
    /// Invariants that did not hold before a call.
    pub broken: Vec<String>,
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Such as `ipmi.set-power`.
    pub function: String,
    /// The how-manieth of its function, from 1.
    pub nth: u64,
    /// Its number in the run.
    pub call: u64,
}

impl Stage {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lab's providers with the faults in between, but for what the site does not have.
    pub(crate) fn providers(self: &Arc<Self>, absent: &wreimage_engine::Absent) -> Providers {
        let inner = self.lab.providers_for(&self.host, self.task.as_deref());
        let mut providers = Providers::new();
        for name in inner.names().filter(|name| !absent.contains(*name)) {
            if let Some(inner) = inner.get(name) {
                let stage = self.clone();
                providers.add((name, Arc::new(Injected { inner, stage })));
            }
        }
        providers
    }

    /// Rules that were never applied.
    pub(crate) fn unfired(&self) -> Vec<String> {
        let state = self.state();
        let fired = |index: usize| state.fired.get(index).copied().unwrap_or(0);
        self.rules
            .iter()
            .enumerate()
            .filter(|(index, _)| fired(*index) == 0)
            .map(|(_, rule)| format!("a fault never came about: {rule}"))
            .collect()
    }

    /// The calls that were made, each once, whoever made them.
    pub(crate) fn made(&self) -> Vec<Made> {
        let state = self.state();
        let mut made: Vec<Made> = state
            .seen
            .iter()
            .flat_map(|(function, calls)| {
                (1..).zip(calls).map(|(nth, call)| Made {
                    function: function.clone(),
                    nth,
                    call: *call,
                })
            })
            .collect();
        made.sort_by_key(|it| it.call);
        made
    }

    /// The how-manieth call of its function this is, from 1.
    fn nth(&self, function: &Function, call: u64) -> u64 {
        let mut state = self.state();
        let calls = state.seen.entry(function.to_string()).or_default();
        let place = calls.iter().position(|it| *it == call).unwrap_or_else(|| {
            calls.push(call);
            calls.len() - 1
        });
        place as u64 + 1
    }

    pub(crate) fn situation(&self) -> Situation {
        self.lab
            .look(|world| world.situation(&self.host, self.task.as_deref()))
            .unwrap_or_else(|| self.before.clone())
    }

    /// Judges the invariants before a call, once a call.
    fn judge(&self, function: &'static Function, arguments: &Value, nth: u64, call: u64) {
        if !self.invariants.looks_at(function) || !self.state().judged.insert(call) {
            return;
        }
        let run = RunFacts::of(&self.log.entries());
        let context = Context {
            world: &self.situation(),
            before: &self.before,
            run: &run,
            call: Some(CallFacts {
                function: function.to_string(),
                mutates: function.effect.mutates(),
                arguments,
                nth,
            }),
            case: &self.case,
            undisturbed: self.undisturbed.as_deref(),
        };
        let broken = self.invariants.broken_before(function, &context);
        self.state().broken.extend(broken);
    }

    /// Whether a rule is for this call.
    fn applies(&self, rule: &Rule, function: &'static Function, nth: u64) -> Result<bool, Fault> {
        if !std::ptr::eq(rule.function, function) {
            return Ok(false);
        }
        Ok(match &rule.trigger {
            Trigger::Each => true,
            Trigger::Nth(wanted) => nth == *wanted,
            Trigger::From(first) => nth >= *first,
            Trigger::After(span) => self.lab.clock().now().duration_since(self.began) >= *span,
            Trigger::When(when) => {
                let run = RunFacts::of(&self.log.entries());
                let context = Context {
                    world: &self.situation(),
                    before: &self.before,
                    run: &run,
                    call: None,
                    case: &self.case,
                    undisturbed: self.undisturbed.as_deref(),
                };
                when.holds(&context).map_err(|error| {
                    self.state().broken.push(error.clone());
                    Fault::other("scenario.when", "the scenario", error)
                })?
            }
        })
    }

    /// What happens to this call, each with whether it happens for the first time.
    fn deeds(&self, function: &'static Function, nth: u64) -> Result<Vec<(&Deed, bool)>, Fault> {
        let mut deeds = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            if self.applies(rule, function, nth)? {
                let mut state = self.state();
                if state.fired.len() <= index {
                    state.fired.resize(index + 1, 0);
                }
                let first = match state.fired.get_mut(index) {
                    Some(fired) => {
                        *fired += 1;
                        *fired == 1
                    }
                    None => false,
                };
                deeds.push((&rule.deed, first));
            }
        }
        Ok(deeds)
    }

    /// The fault of a system that cannot be looked at either.
    fn out_of_reach(&self, function: &'static Function, nth: u64) -> Option<Fault> {
        self.rules.iter().find_map(|rule| match &rule.deed {
            Deed::Fail {
                fault,
                happens: false,
            } if fault.kind == FaultKind::Unreachable
                && !matches!(rule.trigger, Trigger::Nth(_))
                && self.applies(rule, function, nth).unwrap_or(false) =>
            {
                Some(self.planted(fault))
            }
            _ => None,
        })
    }

    /// In a sweep, systems let a secret slip in what they say.
    fn planted(&self, fault: &Fault) -> Fault {
        let mut fault = fault.clone();
        if !self.case.fault.is_empty() {
            fault.message = format!("{} (the password {SECRET} was used)", fault.message);
            fault = fault.with("credentials", SECRET);
        }
        fault
    }

    /// Somebody else does something in the world.
    async fn meanwhile(&self, function: &'static Function, arguments: &Value) {
        let providers = self.lab.providers_for(&self.host, self.task.as_deref());
        let call = Call::new("somebody-else", 1, Arc::new(wreimage_capability::Silent));
        let done = match providers.get(function.capability) {
            Some(provider) => provider.perform(&call, function, arguments).await,
            None => return,
        };
        if let Err(fault) = done {
            let text = format!("meanwhile {function}: {}", fault.message);
            self.state().broken.push(text);
        }
    }
}

/// A provider of the lab to whose calls things happen.
struct Injected {
    inner: Arc<dyn Dispatch>,
    stage: Arc<Stage>,
}

impl Injected {
    async fn perform(
        &self,
        call: &Call,
        function: &'static Function,
        arguments: &Value,
    ) -> Result<Answer, Fault> {
        let stage = &self.stage;
        let nth = stage.nth(function, call.sequence);
        stage.judge(function, arguments, nth, call.sequence);
        let deeds = stage.deeds(function, nth)?;
        for (deed, first) in &deeds {
            match deed {
                Deed::Meanwhile(other, given) if *first => stage.meanwhile(other, given).await,
                Deed::Delay(span) => {
                    let clock = stage.lab.clock();
                    clock.sleep_until(clock.now() + *span).await;
                }
                Deed::Cancel if *first => stage.state().cancel.cancel(),
                Deed::CrashBefore if *first => self.die().await,
                Deed::Fail {
                    fault,
                    happens: false,
                } => return Err(stage.planted(fault)),
                Deed::Never => return Ok(Polled::pending("nothing yet, as the scenario has it")),
                Deed::Lie(answer) => return Ok(Polled::Ready(answer.clone())),
                _ => {}
            }
        }
        let mut answer = self.inner.perform(call, function, arguments).await;
        for (deed, first) in &deeds {
            match deed {
                Deed::Fail {
                    fault,
                    happens: true,
                } => return Err(stage.planted(fault)),
                Deed::CrashAfter if *first => self.die().await,
                Deed::Noise(noise) => answer = answer.map(|it| noisy(it, noise)),
                Deed::Answer(value) => answer = Ok(Polled::Ready(value.clone())),
                _ => {}
            }
        }
        answer
    }

    /// The process of the host is gone: nothing comes back.
    async fn die(&self) {
        self.stage.crash.notify_one();
        std::future::pending::<()>().await;
    }
}

impl Dispatch for Injected {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(Injected::perform(self, call, function, arguments))
    }

    fn witness<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        let nth = self.stage.nth(function, call.sequence);
        match self.stage.out_of_reach(function, nth) {
            Some(fault) => Box::pin(async move { Err(fault) }),
            None => self.inner.witness(call, function, arguments),
        }
    }

    fn reconcile<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
        witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>> {
        let nth = self.stage.nth(function, call.sequence);
        match self.stage.out_of_reach(function, nth) {
            Some(fault) => Box::pin(async move { Err(fault) }),
            None => self.inner.reconcile(call, function, arguments, witness),
        }
    }
}

/// Fields that hold what a program printed.
const PRINTED: [&str; 7] = [
    "output",
    "output_tail",
    "stdout_tail",
    "stderr_tail",
    "tail",
    "text",
    "body",
];

/// Lays a text before what was printed.
fn noisy(answer: Answer, noise: &str) -> Answer {
    let lay = |text: &mut String| *text = format!("{noise}{text}");
    match answer {
        Polled::Ready(Value::String(mut text)) => {
            lay(&mut text);
            Polled::Ready(Value::String(text))
        }
        Polled::Ready(Value::Object(mut fields)) => {
            for (name, value) in &mut fields {
                if let Value::String(text) = value
                    && PRINTED.contains(&name.as_str())
                {
                    lay(text);
                }
            }
            Polled::Ready(Value::Object(fields))
        }
        other => other,
    }
}
