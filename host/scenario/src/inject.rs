//! Faults between the gate and the providers of the lab.

use crate::context::{CallFacts, CaseFacts, Context, End, RunFacts};
use crate::fault::{Deed, Rule, Trigger};
use crate::invariant::Invariants;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use wreimage_capability::{
    Answer, BoxFuture, Call, Dispatch, Fault, FaultKind, Function, Polled, Providers, Reconciled,
};
use wreimage_engine::{Cancel, call_deadline, overdue};
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
    /// How often each rule has come about.
    fired: BTreeMap<usize, u64>,
    /// Rules and the calls that they have met.
    met: BTreeSet<(usize, u64)>,
    /// Calls before which the invariants have been judged.
    judged: BTreeSet<u64>,
    /// Invariants that did not hold before a call.
    pub broken: Vec<String>,
    /// A system was told the secret of another.
    pub leaked: bool,
}

/// A rule that applies to a call.
struct Happening<'a> {
    /// Its place among the rules.
    index: usize,
    deed: &'a Deed,
    /// Whether it comes about for the first time.
    first: bool,
    /// Whether it is the first look or try of this call.
    first_of_call: bool,
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

    /// Rules that were never applied; in a sweep only its own counts, because a run that is disturbed may go another way.
    pub(crate) fn unfired(&self) -> Vec<String> {
        let state = self.state();
        let judged = match self.undisturbed {
            Some(_) => 1,
            None => self.rules.len(),
        };
        let rules = self.rules.iter().take(judged).enumerate();
        rules
            .filter(|(index, _)| !state.fired.contains_key(index))
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
        if let Trigger::Gone(first) = &rule.trigger {
            let state = self.state();
            let made = state.seen.get(&rule.function.to_string());
            let gone = made.is_some_and(|calls| calls.len() as u64 >= *first);
            return Ok(gone && rule.function.capability == function.capability);
        }
        if !std::ptr::eq(rule.function, function) {
            return Ok(false);
        }
        Ok(match &rule.trigger {
            Trigger::Gone(_) => false,
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

    /// What happens to this call.
    fn deeds(
        &self,
        function: &'static Function,
        nth: u64,
        call: u64,
    ) -> Result<Vec<Happening<'_>>, Fault> {
        let mut deeds = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let fired = self.state().fired.get(&index).copied().unwrap_or(0);
            let over = rule.times.is_some_and(|times| fired >= times);
            if !over && self.applies(rule, function, nth)? {
                // Noise has come about when there was a text to lay it before.
                let first = !matches!(rule.deed, Deed::Noise(_)) && self.fire(index);
                deeds.push(Happening {
                    index,
                    deed: &rule.deed,
                    first,
                    first_of_call: self.state().met.insert((index, call)),
                });
            }
        }
        Ok(deeds)
    }

    /// Notes that a rule has come about; whether for the first time.
    fn fire(&self, index: usize) -> bool {
        let mut state = self.state();
        let fired = state.fired.entry(index).or_default();
        *fired += 1;
        *fired == 1
    }

    /// The fault of a system that cannot be looked at either.
    fn out_of_reach(&self, function: &'static Function, nth: u64) -> Option<Fault> {
        self.rules
            .iter()
            .enumerate()
            .find_map(|(index, rule)| match &rule.deed {
                Deed::Fail {
                    fault,
                    happens: false,
                } if fault.kind == FaultKind::Unreachable
                    && !matches!(rule.trigger, Trigger::Nth(_))
                    && self.applies(rule, function, nth).unwrap_or(false) =>
                {
                    self.fire(index);
                    Some(self.planted(fault))
                }
                _ => None,
            })
    }

    /// Whether this is a case of a sweep.
    fn sweeps(&self) -> bool {
        !self.case.fault.is_empty()
    }

    /// In a sweep, systems let a secret slip in whatever they say.
    fn slip(&self, text: &str) -> String {
        if self.sweeps() {
            format!("{text} (the password {SECRET} was used)")
        } else {
            text.to_owned()
        }
    }

    /// The fault, with what slips in.
    fn planted(&self, fault: &Fault) -> Fault {
        let mut fault = fault.clone();
        fault.message = self.slip(&fault.message);
        if self.sweeps() {
            fault = fault.with("credentials", SECRET);
        }
        fault
    }

    /// Lets a call take longer. Who takes longer than the gate's deadline is given up, as in life: the lab's time passes
    /// without the gate's own clock, which is a real one.
    async fn delay(
        &self,
        span: SignedDuration,
        function: &'static Function,
        arguments: &Value,
    ) -> Result<(), Fault> {
        let deadline =
            SignedDuration::try_from(call_deadline(arguments)).unwrap_or(SignedDuration::MAX);
        let clock = self.lab.clock();
        let until = clock
            .now()
            .checked_add(span.min(deadline))
            .unwrap_or(Timestamp::MAX);
        clock.sleep_until(until).await;
        if span > deadline {
            return Err(self.planted(&overdue(function, arguments, &self.host)));
        }
        Ok(())
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
        if stage.sweeps() && arguments.to_string().contains(SECRET) {
            stage.state().leaked = true;
        }
        let deeds = stage.deeds(function, nth, call.sequence)?;
        if stage.sweeps() && !deeds.is_empty() {
            call.progress(stage.slip("logging in"));
        }
        for it in &deeds {
            match it.deed {
                Deed::Meanwhile(other, given) if it.first => stage.meanwhile(other, given).await,
                Deed::Delay(span) if it.first_of_call => {
                    stage.delay(*span, function, arguments).await?;
                }
                Deed::Cancel if it.first => stage.state().cancel.cancel(),
                Deed::CrashBefore if it.first => self.die().await,
                _ => {}
            }
        }
        let answer = match self.instead(&deeds) {
            Some(answer) => answer,
            None => self.made(&deeds, call, function, arguments).await,
        };
        if deeds
            .iter()
            .any(|it| matches!(it.deed, Deed::CrashAfter) && it.first)
        {
            self.die().await;
        }
        answer.map(|answer| match answer {
            Polled::Pending { why, again } => Polled::Pending {
                why: stage.slip(&why),
                again,
            },
            ready @ Polled::Ready(_) => ready,
        })
    }

    /// What is answered instead of making the call.
    fn instead(&self, deeds: &[Happening<'_>]) -> Option<Result<Answer, Fault>> {
        deeds.iter().find_map(|it| match it.deed {
            Deed::Fail {
                fault,
                happens: false,
            } => Some(Err(self.stage.planted(fault))),
            Deed::Never => Some(Ok(Polled::pending("nothing yet, as the scenario has it"))),
            Deed::Lie(answer) => Some(Ok(Polled::Ready(answer.clone()))),
            _ => None,
        })
    }

    /// Makes the call; what becomes of its answer.
    async fn made(
        &self,
        deeds: &[Happening<'_>],
        call: &Call,
        function: &'static Function,
        arguments: &Value,
    ) -> Result<Answer, Fault> {
        let mut answer = self.inner.perform(call, function, arguments).await;
        for it in deeds {
            match it.deed {
                Deed::Fail {
                    fault,
                    happens: true,
                } => return Err(self.stage.planted(fault)),
                Deed::Noise(noise) => {
                    if let Ok(Polled::Ready(value)) = &mut answer {
                        let mut noisy = value.clone();
                        // A word such as a state is no text that a program printed.
                        if lay(&mut noisy, noise) && (function.understand)(&noisy).is_ok() {
                            *value = noisy;
                            self.stage.fire(it.index);
                        }
                    }
                }
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

/// Lays a text before what was printed; whether anything was.
fn lay(answer: &mut Value, noise: &str) -> bool {
    match answer {
        Value::String(text) => {
            text.insert_str(0, noise);
            true
        }
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, value)| value.is_string() && PRINTED.contains(&name.as_str()))
            .map(|(_, text)| lay(text, noise))
            .fold(false, |any, laid| any | laid),
        _ => false,
    }
}
