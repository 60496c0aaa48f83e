//! The one place that every call of a guest passes.

use crate::gate::course::Course;
use crate::replay::cursor::{Open, Recalled};
use crate::run::stop::Stop;
use serde_json::Value;
use std::sync::{Arc, PoisonError};
use wreimage_capability::{BoxFuture, Call, Caller, Effect, Fault, FaultKind, Function, Gate};
use wreimage_journal::{Origin, Outcome, Reality, Record};

/// Code of the fault of a call in the middle of which the host stopped the guest.
const STOPPED: &str = "gate.stopped";

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
        self.mend_undo(function, origin).await?;
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
                if was_begun || matches!(stop, Stop::InDoubt(_)) {
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
            self.restore_before_restart(function, arguments, origin)
                .await?;
            if let Some(fault) = self
                .refuse_new_override(function, arguments, origin, call.sequence)
                .await?
            {
                return Ok(Err(fault));
            }
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
        if self.is_served_by_engine(function) {
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
}
