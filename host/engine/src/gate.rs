//! The one place that every call of a guest passes.

use crate::cancel::Cancel;
use crate::consent::Consent;
use crate::first_boot::RecordedKeys;
use crate::grants::{Absent, Grants};
use crate::lease::Holder;
use crate::operator::Operator;
use crate::past::{Open, Past, Recalled};
use crate::recorder::{CallSink, Recorder};
use crate::services::{Fence, Observer, WaitPolicy};
use crate::state::{Component, State};
use crate::stop::Stop;
use crate::twin::TwinMaker;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wreimage_capability::{
    Answer, BoxFuture, Call, Caller, Dispatch, Effect, Fault, FaultKind, Function, Gate, Polled,
};
use wreimage_journal::{Intent, Level, LogError, OnFailure, Origin, Outcome, Reality, Record};

/// How long a provider may take for one call, besides what the arguments ask for. Longer than any provider's own bound,
/// so that the provider's more precise fault comes first.
const CALL_DEADLINE: Duration = Duration::from_secs(300);

/// Code of the fault of a call in the middle of which the host stopped the guest.
const STOPPED: &str = "gate.stopped";

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
    /// What is plugged into the guest, in order.
    pub(crate) plugs: Vec<Component>,
    pub(crate) may_mutate: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) dry_run: bool,
    pub(crate) grants: Grants,
    pub(crate) absent: Absent,
    pub(crate) protected_tags: Vec<String>,
    /// Vendors and models whose BMCs have a GUID that is not the machine's UUID.
    pub(crate) unrelated_guids: Vec<String>,
    /// A machine of which nothing can be compared is let through with a caution.
    pub(crate) identity_optional: bool,
    /// The operating system that the guest installs, by the option that names it.
    pub(crate) target_release: Option<String>,
    /// Digests of what the site decides: its grants, its policy, its tables of providers.
    pub(crate) site_tables: Vec<(String, String)>,
    /// Fingerprint of the host key that the operator has given.
    pub(crate) given_host_key: Option<String>,
    /// The host keys that earlier runs here have accepted at the installer identity.
    pub(crate) recorded_keys: Option<RecordedKeys>,
    /// The guest may continue with the system that is there, so that its host key matters.
    pub(crate) keeps_system: bool,
    pub(crate) console: Option<String>,
    pub(crate) waits: Option<WaitPolicy>,
    pub(crate) fence: Option<Fence>,
    /// The lease on the host.
    pub(crate) holder: Arc<Holder>,
    /// Why no lease orders the controllers, where one could.
    pub(crate) unordered: Option<String>,
    pub(crate) resumable: bool,
    pub(crate) consent: Arc<dyn Consent>,
    pub(crate) operator: Arc<dyn Operator>,
    pub(crate) observer: Option<Observer>,
    pub(crate) twin: Option<Arc<dyn TwinMaker>>,
    pub(crate) cancel: Cancel,
    /// Held while a mutation is under way, so that a cancel can wait for its end.
    pub(crate) mutating: tokio::sync::Mutex<()>,
    pub(crate) recorder: Arc<Recorder>,
    /// What earlier processes have recorded and this one has not passed yet.
    pub(crate) past: Mutex<Option<Past>>,
    pub(crate) state: Mutex<State>,
}

/// The guest's side of a course.
pub(crate) struct GuestGate(pub(crate) Arc<Course>);

impl Gate for GuestGate {
    fn call<'a>(
        &'a mut self,
        caller: Caller,
        function: &'static Function,
        arguments: Value,
    ) -> BoxFuture<'a, wasmtime::Result<Result<Value, Fault>>> {
        Box::pin(async move {
            self.0.state().caller = caller;
            self.0.admit(function, &arguments).await?;
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

    /// The component that is plugged into the guest and makes the present call, if it is one.
    pub(crate) fn plug(&self) -> Option<&Component> {
        match self.state().caller {
            Caller::Guest => None,
            Caller::Plug(number) => self.plugs.get(number.checked_sub(1)?),
        }
    }

    /// Its name, for a record of a call.
    pub(crate) fn component(&self, origin: Origin) -> Option<String> {
        let plug = self.plug().filter(|_| origin == Origin::Guest)?;
        Some(plug.name.clone())
    }

    /// Where a call leaves progress and output.
    pub(crate) fn sink(&self, call: u64) -> Arc<CallSink> {
        Arc::new(CallSink {
            recorder: self.recorder.clone(),
            call,
            not_previewed: Mutex::new(None),
            pinned: Mutex::new(None),
        })
    }

    /// The way of a call, from the cancel check to the recorded outcome.
    pub(crate) async fn call(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: Value,
        origin: Origin,
    ) -> Result<Result<Value, Fault>, Stop> {
        if function.effect == Effect::Note {
            return self.note(function, &arguments);
        }
        let open = match self.recall(function, &arguments, origin)? {
            Recalled::Answered(outcome) => return self.answered(function, origin, *outcome).await,
            Recalled::Open(open) => Some(*open),
            Recalled::Live => None,
        };
        if self.state().trial {
            return Err(Stop::Edge);
        }
        self.mend_undo(origin).await?;
        let number = match &open {
            Some(open) => open.call,
            None => self.recorder.next_call(),
        };
        let began = self.recorder.clock().now();
        let sink = self.sink(number);
        let mut call = Call::new(self.run.clone(), number, sink.clone());
        call.may_pin = !function.effect.mutates();
        // It may have had its effect: whatever comes now, it is not a call that was never made.
        let was_begun = open.as_ref().is_some_and(|open| open.intent.is_some());
        let tried = match self.refuse(function, origin) {
            Some(fault) if !was_begun => Ok(Err(fault)),
            _ => {
                self.begin(function, &arguments, origin, &mut call, open)
                    .await
            }
        };
        let (mut result, stop) = match tried {
            Ok(result) => (result, None),
            // Nothing can be added to a record that cannot be kept.
            Err(stop @ Stop::Record(_)) => return Err(stop),
            // The call stays open: it is gone on with when the run is.
            Err(stop) if stop.is_pause() => return Err(stop),
            Err(stop) => {
                let mut fault =
                    Fault::denied(STOPPED, "wreimage", stop.to_string()).with("stop", stop.word());
                if was_begun {
                    fault.kind = FaultKind::InDoubt;
                }
                (Err(fault), Some(stop))
            }
        };
        if self.cancel.is_cancelled() && !self.state().closing {
            self.note_cancel()?;
        }
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
        if let Some(boot) = sink.take_pinned()
            && let Err(fault) = self.accept_first_boot(boot).await?
        {
            result = Err(fault);
        }
        let took = self.recorder.clock().now().duration_since(began);
        let outcome = Outcome {
            call: number,
            function: function.to_string(),
            effect: function.effect,
            origin,
            component: self.component(origin),
            arguments,
            result,
            reality,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(0),
        };
        self.settle(function, &outcome)?;
        if let Some(stop) = stop {
            return Err(stop);
        }
        self.believe(function, origin, &outcome).await?;
        Ok(outcome.result)
    }

    /// The answer of a call that was made before.
    async fn answered(
        self: &Arc<Self>,
        function: &'static Function,
        origin: Origin,
        outcome: Outcome,
    ) -> Result<Result<Value, Fault>, Stop> {
        if let Err(fault) = &outcome.result
            && fault.code == STOPPED
        {
            let word = fault.extra.iter().find(|(key, _)| key == "stop");
            let word = word.map_or("", |(_, word)| word);
            return Err(Stop::from_word(word, fault.message.clone()));
        }
        if self.state().at_edge {
            self.believe(function, origin, &outcome).await?;
        }
        Ok(outcome.result)
    }

    /// Before anything that an installer says is believed, the machine must be the right one.
    async fn believe(
        self: &Arc<Self>,
        function: &'static Function,
        origin: Origin,
        outcome: &Outcome,
    ) -> Result<(), Stop> {
        if origin == Origin::Guest && !function.effect.mutates() && outcome.result.is_ok() {
            self.identify_installer(function, &outcome.arguments, outcome.result.as_ref().ok())
                .await?;
        }
        Ok(())
    }

    /// Tries a call that is not refused, or goes on with one that an earlier process has begun.
    async fn begin(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
        call: &mut Call,
        open: Option<Open>,
    ) -> Result<Result<Value, Fault>, Stop> {
        let was_begun = open.as_ref().is_some_and(|open| open.intent.is_some());
        if !was_begun {
            self.look_first(function, arguments, origin).await?;
            self.restore_override(function, arguments, origin).await?;
        }
        self.attempt(function, arguments, origin, call, open).await
    }

    /// Before a mutation: whether it is the right machine, and whether it may be changed.
    async fn look_first(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
    ) -> Result<(), Stop> {
        if function.effect.mutates() && origin == Origin::Guest {
            self.check_before(function, arguments).await?;
            self.ensure_lease().await?;
            // A machine that is changed from inside must be the right one.
            self.identify_installer(function, arguments, None).await?;
        }
        Ok(())
    }

    /// Before a call that was begun is made once more: what speaks against it, if anything does.
    pub(crate) async fn may_repeat(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
    ) -> Result<Option<Fault>, Stop> {
        let refused = self.refuse(function, origin);
        if refused.is_none() {
            self.look_first(function, arguments, origin).await?;
        }
        Ok(refused)
    }

    /// Intent, performance, and for `once` calls the doubt about them.
    pub(crate) async fn attempt(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
        call: &mut Call,
        open: Option<Open>,
    ) -> Result<Result<Value, Fault>, Stop> {
        if wreimage_capability::capability(function.capability)
            .is_some_and(|c| c.server == wreimage_capability::Server::Engine)
        {
            return self.serve(function, arguments, origin, call, open).await;
        }
        let was_begun = open.as_ref().is_some_and(|open| open.intent.is_some());
        let Some(provider) = self.state().providers.get(function.capability) else {
            let fault = Fault::unsupported(
                "site.no-provider",
                format!("site {}", self.site),
                format!("this site names no provider for `{}`", function.capability),
            );
            return Ok(Err(match open {
                Some(open) if open.intent.is_some() => {
                    self.not_repeated(function, fault, open.since)
                }
                _ => fault,
            }));
        };
        self.first_snapshot(function).await?;
        self.give_checked(call);
        call.made = self.state().undo.made(function);
        match function.effect {
            Effect::Once => {
                let _mutating = self.mutating.lock().await;
                self.once(provider, function, arguments, origin, call, open)
                    .await
            }
            Effect::Write => {
                let _mutating = self.mutating.lock().await;
                let since = open.as_ref().and_then(|open| open.since);
                let refused = if was_begun {
                    self.may_repeat(function, arguments, origin)
                        .await?
                        .map(|fault| self.not_repeated(function, fault, since))
                } else {
                    self.cancelled_before(function, origin)
                };
                if let Some(fault) = refused {
                    return Ok(Err(fault));
                }
                self.give_checked(call);
                self.announce(function, arguments, origin, call, None)?;
                if let Some(fault) = self.confirm_lease(function, origin, call).await? {
                    return Ok(Err(if was_begun {
                        self.not_repeated(function, fault, since)
                    } else {
                        fault
                    }));
                }
                let provider = provider.as_ref();
                Ok(match origin {
                    Origin::Undo => {
                        self.take_back_one(provider, function, arguments, call)
                            .await
                    }
                    Origin::Guest | Origin::Host => {
                        self.perform(provider, function, arguments, call).await
                    }
                })
            }
            Effect::Wait => {
                let timer = open.and_then(|open| open.timer);
                self.wait(provider.as_ref(), function, arguments, origin, call, timer)
                    .await
            }
            Effect::Read | Effect::Ask | Effect::Note => {
                let provider = provider.as_ref();
                let read = self.perform(provider, function, arguments, call).await;
                match read {
                    Err(fault)
                        if self
                            .accept_reported_key(function, arguments, &fault, call)
                            .await? =>
                    {
                        Ok(self.perform(provider, function, arguments, call).await)
                    }
                    read => Ok(read),
                }
            }
        }
    }

    /// The fault of a call that an earlier process has begun and that is not made again: it was called, whatever came of it. What
    /// is left says so too where nothing undoes it.
    pub(crate) fn not_repeated(
        &self,
        function: &'static Function,
        fault: Fault,
        since: Option<Timestamp>,
    ) -> Fault {
        let when = since.map_or_else(String::new, |since| {
            format!(" at {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"))
        });
        let known =
            format!("{function} was called{when} and was under way when the run was interrupted");
        let cancelled = fault.kind == FaultKind::Cancelled;
        let why = if cancelled {
            "the run was cancelled"
        } else {
            fault.message.as_str()
        };
        if function.effect != Effect::Once {
            return Fault {
                kind: FaultKind::InDoubt,
                retryable: false,
                message: format!(
                    "{why}. {known}: it may have had its effect, and is not called again"
                ),
                ..fault
            };
        }
        let unseen = "no end of it is seen, and it may still be under way";
        self.state()
            .doubts
            .push(format!("{known}: {unseen}; check {}", self.host));
        Fault {
            kind: if cancelled {
                FaultKind::Cancelled
            } else {
                FaultKind::InDoubt
            },
            retryable: false,
            message: format!("{why}. {known}: {unseen}. It is not called again"),
            ..fault
        }
    }

    /// The run is being cancelled: once and for all processes that drive it.
    pub(crate) fn note_cancel(&self) -> Result<(), LogError> {
        if std::mem::replace(&mut self.state().cancelled, true) {
            return Ok(());
        }
        self.recorder.record_durably(Record::Signal {
            signal: "cancel".to_owned(),
        })
    }

    /// Nothing is begun after a cancel, however long its preparation took.
    pub(crate) fn cancelled_before(&self, function: &Function, origin: Origin) -> Option<Fault> {
        (origin == Origin::Guest && self.cancel.is_cancelled() && !self.state().closing)
            .then(|| Fault::cancelled(format!("the run was cancelled; {function} was not called")))
    }

    /// Tells people of something that the host itself noticed.
    pub(crate) fn warn(&self, text: String) -> Result<(), LogError> {
        self.tell_note(Record::Note {
            level: Level::Warning,
            text,
            by_host: true,
            component: None,
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
        // Who has been overtaken changes nothing any more.
        if let (Some(fence), false) = (&self.fence, self.state().in_twin)
            && let Err(why) = fence()
        {
            return Err(Stop::Paused(why));
        }
        let intent = Intent {
            call: call.sequence,
            function: function.to_string(),
            effect: function.effect,
            origin,
            component: self.component(origin),
            arguments: arguments.clone(),
            witness,
        };
        let record = Record::Intent(intent.clone());
        // Whatever was read before a change is not read again after it: a loss of power must not make the run forget it.
        if !self.state().in_twin {
            self.recorder.record_durably(record)?;
        } else {
            self.recorder.record(record)?;
        }
        if self.state().learn_intent(function, &intent)
            && let Some(inverse) = &function.inverse
        {
            self.recorder.record(Record::UndoOpened {
                call: call.sequence,
                inverse: format!("{}.{}", function.capability, inverse.function),
                thing: inverse.thing.to_owned(),
            })?;
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
        let deadline = deadline_of(call, arguments);
        match tokio::time::timeout(deadline, provider.perform(call, function, arguments)).await {
            Ok(answer) => answer,
            Err(_) if deadline < call_deadline(arguments) => Err(Fault::timeout(
                "gate.lease-ran-out",
                format!("{} of {}", function.capability, self.host),
                format!(
                    "{function} did not end within {} s, for which the lease on {} was valid",
                    deadline.as_secs(),
                    self.host
                ),
            )),
            Err(_) => Err(overdue(function, arguments, &self.host)),
        }
    }

    /// Records an outcome, learns from it, and settles the undo list.
    pub(crate) fn settle(
        &self,
        function: &'static Function,
        outcome: &Outcome,
    ) -> Result<(), Stop> {
        let record = Record::Outcome(outcome.clone());
        let durable = function.effect == Effect::Once && outcome.reality == Reality::Real;
        let time = self.recorder.record_at(record, durable)?;
        let closed = self.state().learn_outcome(function, outcome, time);
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

/// How long a provider may take for one call with these arguments, before the gate answers for it.
pub fn call_deadline(arguments: &Value) -> Duration {
    CALL_DEADLINE.saturating_add(asked_time(arguments))
}

/// The same for one call, which is not to act after the claim on the host has run out. What asks for a time of its own runs
/// as a unit on the machine, and needs only to begin while the claim is valid.
fn deadline_of(call: &Call, arguments: &Value) -> Duration {
    let whole = call_deadline(arguments);
    match call.valid_until {
        Some(until) if asked_time(arguments).is_zero() => {
            whole.min(until.saturating_duration_since(Instant::now()))
        }
        _ => whole,
    }
}

/// What the gate answers for a provider that has taken longer than [`call_deadline`].
pub fn overdue(function: &Function, arguments: &Value, host: &str) -> Fault {
    Fault::timeout(
        "gate.deadline",
        format!("{} of {host}", function.capability),
        format!(
            "{function} did not end within {} s",
            call_deadline(arguments).as_secs()
        ),
    )
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
