//! Faults between the gate and the providers of the lab.

use crate::change::{ChangeAt, ClockOffset};
use crate::context::{CallFacts, CaseFacts, Context, End, RunFacts};
use crate::fault::{Deed, Rule, Trigger};
use crate::injected::Injected;
use crate::invariant::Invariants;
use crate::meeting::Meeting;
use crate::rival::RivalFacts;
use crate::since::{After, Changed};
use crate::stage_log::{Death, Journal};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wreimage_capability::{Call, Fault, FaultKind, Function, Providers};
use wreimage_engine::{Cancel, call_deadline, overdue};
use wreimage_lab::{Lab, Situation};

/// A secret that stands in what providers say in a sweep. Whoever finds it in a journal or a report has found a leak.
pub(crate) const SECRET: &str = "hunter2-canary-8c1f";

/// One run on its stage: the data centre around it, and what goes wrong.
pub(crate) struct Stage {
    pub lab: Lab,
    pub host: String,
    pub task: Option<String>,
    pub journal: Journal,
    pub rules: Vec<Rule>,
    pub invariants: Invariants,
    pub case: CaseFacts,
    pub undisturbed: Option<Arc<End>>,
    /// How many of the rules, from the first on, are those of the case of a sweep.
    pub own_rules: usize,
    pub before: Situation,
    pub began: Timestamp,
    /// Whether the process that drives the run has died.
    pub death: Death,
    /// What somebody else changes in the world.
    pub change: Option<ChangeAt>,
    /// Where it waits for another run.
    pub meeting: Option<Arc<Meeting>>,
    /// How far the controller's clock is off.
    pub clock_offset: ClockOffset,
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
    /// The change, once it has happened.
    pub changed: Option<Changed>,
    /// What became of the rivals of this run.
    pub rival: Option<RivalFacts>,
    /// How the process ended that saw it.
    pub after: Option<After>,
    /// The world before each call, of a run that nothing disturbs.
    pub situations: BTreeMap<u64, Situation>,
}

/// A rule that applies to a call.
pub(crate) struct Happening<'a> {
    /// Its place among the rules.
    pub index: usize,
    pub deed: &'a Deed,
    /// Whether it comes about for the first time.
    pub first: bool,
    /// Whether it is the first look or try of this call.
    pub first_of_call: bool,
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
            Some(_) => self.own_rules,
            None => self.rules.len(),
        };
        let rules = self.rules.iter().take(judged).enumerate();
        rules
            .filter(|(index, _)| !state.fired.contains_key(index))
            .map(|(_, rule)| format!("a fault never came about: {rule}"))
            .chain(
                self.journal
                    .is_unfired()
                    .then(|| "the record of the case was never written".to_owned()),
            )
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
    pub(crate) fn nth(&self, function: &Function, call: u64) -> u64 {
        let mut state = self.state();
        let calls = state.seen.entry(function.to_string()).or_default();
        let place = calls.iter().position(|it| *it == call).unwrap_or_else(|| {
            calls.push(call);
            calls.len() - 1
        });
        place as u64 + 1
    }

    /// Keeps the world as it is before a call, where no case of a sweep is played.
    pub(crate) fn watch(&self, call: u64) {
        if self.undisturbed.is_none() && !self.state().situations.contains_key(&call) {
            let now = self.situation();
            self.state().situations.insert(call, now);
        }
    }

    pub(crate) fn situation(&self) -> Situation {
        self.lab
            .look(|world| world.situation(&self.host, self.task.as_deref()))
            .unwrap_or_else(|| self.before.clone())
    }

    /// Judges the invariants before a call, once a call.
    pub(crate) fn judge(
        &self,
        function: &'static Function,
        arguments: &Value,
        nth: u64,
        call: u64,
    ) {
        if !self.invariants.looks_at(function) || !self.state().judged.insert(call) {
            return;
        }
        let run = RunFacts::of(&self.journal.entries());
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
            since: None,
            rival: None,
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
                let run = RunFacts::of(&self.journal.entries());
                let context = Context {
                    world: &self.situation(),
                    before: &self.before,
                    run: &run,
                    call: None,
                    case: &self.case,
                    undisturbed: self.undisturbed.as_deref(),
                    since: None,
                    rival: None,
                };
                when.holds(&context).map_err(|error| {
                    self.state().broken.push(error.clone());
                    Fault::other("scenario.when", "the scenario", error)
                })?
            }
        })
    }

    /// What happens to this call.
    pub(crate) fn deeds(
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
    pub(crate) fn fire(&self, index: usize) -> bool {
        let mut state = self.state();
        let fired = state.fired.entry(index).or_default();
        *fired += 1;
        *fired == 1
    }

    /// The fault of a system that cannot be looked at either.
    pub(crate) fn out_of_reach(&self, function: &'static Function, nth: u64) -> Option<Fault> {
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
    pub(crate) fn sweeps(&self) -> bool {
        !self.case.fault.is_empty()
    }

    /// In a sweep, systems let a secret slip in whatever they say.
    pub(crate) fn slip(&self, text: &str) -> String {
        if self.sweeps() {
            format!("{text} (the password {SECRET} was used)")
        } else {
            text.to_owned()
        }
    }

    /// The fault, with what slips in.
    pub(crate) fn planted(&self, fault: &Fault) -> Fault {
        let mut fault = fault.clone();
        fault.message = self.slip(&fault.message);
        if self.sweeps() {
            fault = fault.with("credentials", SECRET);
        }
        fault
    }

    /// Lets a call take longer. Who takes longer than the gate's deadline is given up, as in life: the lab's time passes
    /// without the gate's own clock, which is a real one.
    pub(crate) async fn delay(
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
    pub(crate) async fn meanwhile(&self, function: &'static Function, arguments: &Value) {
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
