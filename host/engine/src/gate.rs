//! The one place that every call of a guest passes.

use crate::cancel::Cancel;
use crate::consent::Consent;
use crate::grants::{Absent, Grants};
use crate::notes::Notes;
use crate::operator::Operator;
use crate::recorder::{CallSink, Recorder};
use crate::report::Mutation;
use crate::services::{Observer, WaitPolicy};
use crate::stop::Stop;
use crate::twin::{Seen, TwinMaker};
use crate::undo::UndoList;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wreimage_capability::netbox::Device;
use wreimage_capability::{
    Answer, BoxFuture, Call, Dispatch, Effect, Facts, Fault, Function, Gate, Polled, Providers,
};
use wreimage_journal::{Intent, Level, LogError, Origin, Outcome, Reality, Record};

/// How long a provider may take for one call, besides what the arguments ask for. Longer than any provider's own bound,
/// so that the provider's more precise fault comes first.
const CALL_DEADLINE: Duration = Duration::from_secs(300);

/// One run while it goes on: what the gate needs to answer, and what it has learnt.
pub(crate) struct Course {
    pub(crate) run: String,
    pub(crate) host: String,
    pub(crate) site: String,
    pub(crate) actor: String,
    pub(crate) controller: String,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) guest: String,
    pub(crate) digest: String,
    pub(crate) capabilities: Vec<(String, Vec<String>)>,
    pub(crate) may_mutate: bool,
    pub(crate) dry_run: bool,
    pub(crate) grants: Grants,
    pub(crate) absent: Absent,
    pub(crate) protected_tags: Vec<String>,
    pub(crate) console: Option<String>,
    pub(crate) waits: Option<WaitPolicy>,
    pub(crate) consent: Arc<dyn Consent>,
    pub(crate) operator: Arc<dyn Operator>,
    pub(crate) observer: Option<Observer>,
    pub(crate) twin: Option<Arc<dyn TwinMaker>>,
    pub(crate) cancel: Cancel,
    /// Held while a mutation is under way, so that a cancel can wait for its end.
    pub(crate) mutating: tokio::sync::Mutex<()>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) state: Mutex<State>,
}

/// What changes while the run goes on.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) providers: Providers,
    pub(crate) in_twin: bool,
    /// Reads so far, for a twin. Empty unless the run is a rehearsal.
    pub(crate) seen: Vec<Seen>,
    pub(crate) allowed: bool,
    pub(crate) touched: bool,
    pub(crate) facts: Facts,
    pub(crate) device: Option<Device>,
    /// Whether the machine at the installer identity has been compared with the inventory since its last boot.
    pub(crate) identified_boot: bool,
    pub(crate) undo: UndoList,
    pub(crate) notes: Notes,
    pub(crate) mutations: Vec<Mutation>,
    pub(crate) calls: u64,
    /// Calls of which nobody knows whether they happened.
    pub(crate) doubts: Vec<String>,
    /// The host itself has warned of something.
    pub(crate) warned: bool,
    /// The run was cancelled before the guest came to its end.
    pub(crate) cancelled: bool,
    /// After a cancel, what the host itself does is not cancelled.
    pub(crate) closing: bool,
}

/// The guest's side of a course.
pub(crate) struct GuestGate(pub(crate) Arc<Course>);

impl Gate for GuestGate {
    fn call<'a>(
        &'a mut self,
        function: &'static Function,
        arguments: Value,
    ) -> BoxFuture<'a, wasmtime::Result<Result<Value, Fault>>> {
        Box::pin(async move {
            match self.0.call(function, arguments, Origin::Guest).await {
                Ok(answer) => Ok(answer),
                Err(stop) => Err(wasmtime::Error::new(stop)),
            }
        })
    }
}

impl Course {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way of a call, from the cancel check to the recorded outcome.
    pub(crate) async fn call(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: Value,
        origin: Origin,
    ) -> Result<Result<Value, Fault>, Stop> {
        if function.effect == Effect::Note {
            return Ok(self.note(function, &arguments)?);
        }
        let number = self.recorder.next_call();
        let began = self.recorder.clock().now();
        let sink = Arc::new(CallSink {
            recorder: self.recorder.clone(),
            call: number,
            not_previewed: Mutex::new(None),
        });
        let mut call = Call::new(self.run.clone(), number, sink.clone());
        let (result, stop) = match self.refuse(function, origin) {
            Some(fault) => (Err(fault), None),
            None => match self.begin(function, &arguments, origin, &mut call).await {
                Ok(result) => (result, None),
                // Nothing can be added to a record that cannot be kept.
                Err(stop @ Stop::Record(_)) => return Err(stop),
                Err(stop) => {
                    let fault = Fault::denied("gate.stopped", "wreimage", stop.to_string());
                    (Err(fault), Some(stop))
                }
            },
        };
        let reality = {
            let mut not_previewed = sink
                .not_previewed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match (self.state().in_twin, not_previewed.take()) {
                (false, _) => Reality::Real,
                (true, None) => Reality::Assumed,
                (true, Some(why)) => {
                    self.recorder.record(Record::Progress {
                        call: number,
                        text: format!("not previewed: {why}"),
                    })?;
                    Reality::NotPreviewed
                }
            }
        };
        let took = self.recorder.clock().now().duration_since(began);
        let outcome = Outcome {
            call: number,
            function: function.to_string(),
            effect: function.effect,
            origin,
            arguments,
            result,
            reality,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(0),
        };
        self.settle(function, origin, &outcome)?;
        if let Some(stop) = stop {
            return Err(stop);
        }
        // Before anything that an installer says is believed, the machine must be the right one.
        if origin == Origin::Guest && !function.effect.mutates() && outcome.result.is_ok() {
            self.identify_installer(function, &outcome.arguments, outcome.result.as_ref().ok())
                .await?;
        }
        Ok(outcome.result)
    }

    /// Tries a call that is not refused; before a mutation, looks whether it is the right machine and whether it may.
    async fn begin(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
        call: &mut Call,
    ) -> Result<Result<Value, Fault>, Stop> {
        if function.effect.mutates() && origin == Origin::Guest {
            self.first_mutation(function).await?;
            // A machine that is changed from inside must be the right one.
            self.identify_installer(function, arguments, None).await?;
        }
        self.attempt(function, arguments, origin, call).await
    }

    /// Intent, performance, and for `once` calls the doubt about them.
    async fn attempt(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
        call: &mut Call,
    ) -> Result<Result<Value, Fault>, Stop> {
        if wreimage_capability::capability(function.capability)
            .is_some_and(|c| c.server == wreimage_capability::Server::Engine)
        {
            return self.serve(function, arguments, call).await;
        }
        let Some(provider) = self.state().providers.get(function.capability) else {
            return Ok(Err(Fault::unsupported(
                "site.no-provider",
                format!("site {}", self.site),
                format!("this site names no provider for `{}`", function.capability),
            )));
        };
        call.made = self.state().undo.made(function);
        match function.effect {
            Effect::Once => {
                let _mutating = self.mutating.lock().await;
                self.once(provider, function, arguments, origin, call).await
            }
            Effect::Write => {
                let _mutating = self.mutating.lock().await;
                if let Some(fault) = self.cancelled_before(function, origin) {
                    return Ok(Err(fault));
                }
                self.announce(function, arguments, origin, call, None)?;
                Ok(self
                    .perform(provider.as_ref(), function, arguments, call)
                    .await)
            }
            Effect::Wait => Ok(self
                .wait(provider.as_ref(), function, arguments, call)
                .await),
            Effect::Read | Effect::Ask | Effect::Note => Ok(self
                .perform(provider.as_ref(), function, arguments, call)
                .await),
        }
    }

    /// Nothing is begun after a cancel, however long its preparation took.
    pub(crate) fn cancelled_before(&self, function: &Function, origin: Origin) -> Option<Fault> {
        (origin == Origin::Guest && self.cancel.is_cancelled())
            .then(|| Fault::cancelled(format!("the run was cancelled; {function} was not called")))
    }

    /// Tells people of something that the host itself noticed.
    pub(crate) fn warn(&self, text: String) -> Result<(), LogError> {
        {
            let mut state = self.state();
            state.warned = true;
            state.notes.notes.push((Level::Warning, text.clone()));
        }
        self.recorder.record(Record::Note {
            level: Level::Warning,
            text,
        })
    }

    /// Writes down what is about to be tried, before it is tried.
    pub(crate) fn announce(
        &self,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
        call: &Call,
        witness: Option<Value>,
    ) -> Result<(), Stop> {
        let record = Record::Intent(Intent {
            call: call.sequence,
            function: function.to_string(),
            effect: function.effect,
            origin,
            arguments: arguments.clone(),
            witness,
        });
        if function.effect == Effect::Once && !self.state().in_twin {
            self.recorder.record_durably(record)?;
        } else {
            self.recorder.record(record)?;
        }
        let mut state = self.state();
        state.touched |= !state.in_twin;
        state.facts.foresee(function);
        if matches!(
            (function.capability, function.name),
            ("ipmi", "set-power") | ("remote", "reboot")
        ) {
            state.identified_boot = false;
        }
        if origin == Origin::Guest && state.undo.open(function, call.sequence) {
            drop(state);
            if let Some(inverse) = &function.inverse {
                self.recorder.record(Record::UndoOpened {
                    call: call.sequence,
                    inverse: format!("{}.{}", function.capability, inverse.function),
                    thing: inverse.thing.to_owned(),
                })?;
            }
        }
        Ok(())
    }

    /// One try, under a deadline.
    pub(crate) async fn perform(
        &self,
        provider: &dyn Dispatch,
        function: &'static Function,
        arguments: &Value,
        call: &Call,
    ) -> Result<Value, Fault> {
        match self.look(provider, function, arguments, call).await? {
            Polled::Ready(outcome) => Ok(outcome),
            Polled::Pending { why, .. } => Err(Fault::other(
                "gate.pending",
                "wreimage",
                format!("the provider of {function} did not answer but said `{why}`"),
            )),
        }
    }

    pub(crate) async fn look(
        &self,
        provider: &dyn Dispatch,
        function: &'static Function,
        arguments: &Value,
        call: &Call,
    ) -> Result<Answer, Fault> {
        let deadline = CALL_DEADLINE + asked_time(arguments);
        match tokio::time::timeout(deadline, provider.perform(call, function, arguments)).await {
            Ok(answer) => answer,
            Err(_) => Err(Fault::timeout(
                "gate.deadline",
                format!("{} of {}", function.capability, self.host),
                format!("{function} did not end within {} s", deadline.as_secs()),
            )),
        }
    }

    /// Records an outcome, learns from it, and settles the undo list.
    fn settle(
        self: &Arc<Self>,
        function: &'static Function,
        origin: Origin,
        outcome: &Outcome,
    ) -> Result<(), Stop> {
        let record = Record::Outcome(outcome.clone());
        if function.effect == Effect::Once && outcome.reality == Reality::Real {
            self.recorder.record_durably(record)?;
        } else {
            self.recorder.record(record)?;
        }
        let closed = {
            let mut state = self.state();
            state.calls += 1;
            if let Ok(value) = &outcome.result {
                state.facts.observe(function, value);
                if matches!(
                    (function.capability, function.name),
                    ("netbox", "get-device")
                ) {
                    state.device = serde_json::from_value(value.clone()).ok();
                }
                if matches!(
                    (function.capability, function.name),
                    ("remote", "wait-for-boot")
                ) {
                    // Another boot: what was compared before may have been another machine.
                    state.identified_boot = false;
                }
                if self.dry_run && !state.in_twin && !function.effect.mutates() {
                    state.seen.push(Seen {
                        function,
                        arguments: outcome.arguments.clone(),
                        outcome: value.clone(),
                    });
                }
            }
            if function.effect.mutates() {
                let step = state.notes.open_step_name();
                state.mutations.push(Mutation {
                    call: outcome.call,
                    function: outcome.function.clone(),
                    effect: outcome.effect,
                    step,
                    arguments: outcome.arguments.clone(),
                    result: outcome
                        .result
                        .as_ref()
                        .map(|_| ())
                        .map_err(|fault| fault.message.clone()),
                    reality: outcome.reality,
                    undo: origin == Origin::Undo,
                });
            }
            state.undo.settle(function, origin, outcome)
        };
        for closed in closed {
            self.recorder.record(Record::UndoClosed(closed))?;
        }
        if let (Some(observer), Ok(value), Reality::Real) =
            (&self.observer, &outcome.result, outcome.reality)
        {
            observer(function, &outcome.arguments, value);
        }
        Ok(())
    }
}

/// The time that the arguments themselves ask for, such as a command's timeout.
fn asked_time(arguments: &Value) -> Duration {
    arguments
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| value.get("timeout_ms")?.as_u64())
        .map(Duration::from_millis)
        .max()
        .unwrap_or_default()
}
