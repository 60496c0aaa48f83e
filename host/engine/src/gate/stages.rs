//! The eight stages of a call: replay, cancel, grant, preview, consent, intent, perform, outcome.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::record::recorder::CallSink;
use crate::replay::cursor::{BegunCall, ReplayMatch};
use crate::run::stop::Stop;
use serde_json::Value;
use std::sync::{Arc, PoisonError};
use tracing::Instrument;
use wreimage_capability::{BoxFuture, Call, Caller, Effect, Fault, FaultKind, Function, Gate};
use wreimage_journal::{Outcome, Reality, Record};

/// Code of the fault of a call in the middle of which the host stopped the guest.
const STOPPED: &str = "gate.stopped";

/// The guest's side of the gate.
pub(crate) struct GuestGate(pub(crate) Arc<RunGate>);

impl Gate for GuestGate {
    fn call<'a>(
        &'a mut self,
        caller: Caller,
        function: &'static Function,
        arguments: Value,
    ) -> BoxFuture<'a, wasmtime::Result<Result<Value, Fault>>> {
        Box::pin(async move {
            self.0.admit(function, &arguments).await?;
            let context = CallContext::of_guest(caller, function, &arguments);
            self.0.call(context).await.map_err(wasmtime::Error::new)
        })
    }
}

impl RunGate {
    /// The way of a call through the stages.
    pub(crate) async fn call(
        self: &Arc<Self>,
        context: CallContext<'_>,
    ) -> Result<Result<Value, Fault>, Stop> {
        let span = tracing::info_span!(
            "wreimage.call",
            function = %context.function,
            origin = ?context.origin
        );
        self.pass(context).instrument(span).await
    }

    async fn pass(
        self: &Arc<Self>,
        context: CallContext<'_>,
    ) -> Result<Result<Value, Fault>, Stop> {
        if context.function.effect == Effect::Note {
            return self.note(context);
        }
        // 1: replay.
        let begun = match self.replay(context)? {
            ReplayMatch::Answered(outcome) => return self.answer(context, *outcome).await,
            ReplayMatch::Begun(begun) => Some(*begun),
            ReplayMatch::Live => None,
        };
        if self.state().verifies {
            return Err(Stop::Edge);
        }
        self.reassert_at_edge(context).await?;
        let number = match &begun {
            Some(begun) => begun.call,
            None => self.recorder.next_call(),
        };
        let started = self.recorder.clock().now();
        let sink = self.sink(number);
        let mut call = Call::new(self.context.run.clone(), number, sink.clone());
        call.may_pin = !context.function.effect.mutates();
        // It may have had its effect: whatever comes now, it is not a call that was never made.
        let was_begun = begun.as_ref().is_some_and(|it| it.intent.is_some());
        // 2 and 3: cancel and grant.
        let tried = match self.refuse(context) {
            Some(fault) if !was_begun => Ok(Err(fault)),
            // 4 to 7.
            _ => self.attempt(context, &mut call, begun).await,
        };
        let (mut result, stop) = match tried {
            Ok(result) => (result, None),
            // Nothing can be added to a record that cannot be kept.
            Err(stop @ Stop::Record(_)) => return Err(stop),
            // The call stays open: the next process continues it.
            Err(stop) if stop.is_pause() => return Err(stop),
            Err(stop) => (Err(stopped(&stop, was_begun)), Some(stop)),
        };
        if self.cancel.is_cancelled() && !self.state().mode().is_closing() {
            self.note_cancel()?;
        }
        let reality = self.reality(&sink, number)?;
        if let Some(boot) = sink.take_pinned()
            && let Err(fault) = self.accept_first_boot(boot).await?
        {
            result = Err(fault);
        }
        // 8: outcome.
        let took = self.recorder.clock().now().duration_since(started);
        let outcome = Outcome {
            call: number,
            function: context.function.to_string(),
            effect: context.function.effect,
            origin: context.origin,
            component: self.component(context),
            arguments: context.arguments.clone(),
            result,
            reality,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(0),
        };
        self.record_outcome(context.function, &outcome)?;
        if let Some(stop) = stop {
            return Err(stop);
        }
        self.check_reporter(context, &outcome).await?;
        Ok(outcome.result)
    }

    /// The answer of a call that was made before.
    async fn answer(
        self: &Arc<Self>,
        context: CallContext<'_>,
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
            self.check_reporter(context, &outcome).await?;
        }
        Ok(outcome.result)
    }

    /// Before the guest acts on anything that an installer has reported, the machine must be the right one.
    async fn check_reporter(
        self: &Arc<Self>,
        context: CallContext<'_>,
        outcome: &Outcome,
    ) -> Result<(), Stop> {
        match &outcome.result {
            Ok(answer) if context.is_by_guest() && !context.function.effect.mutates() => {
                self.check_installer_identity(context, Some(answer)).await
            }
            _ => Ok(()),
        }
    }

    /// Stages 4 to 7 of a call that is not refused, or that an earlier process has begun.
    async fn attempt(
        self: &Arc<Self>,
        context: CallContext<'_>,
        call: &mut Call,
        begun: Option<BegunCall>,
    ) -> Result<Result<Value, Fault>, Stop> {
        let was_begun = begun.as_ref().is_some_and(|it| it.intent.is_some());
        if !was_begun {
            // 4 and 5: preview and consent.
            self.authorize_change(context).await?;
            self.reassert_before_restart(context).await?;
            if let Some(fault) = self.refuse_new_override(context, call.sequence).await? {
                return Ok(Err(fault));
            }
        }
        // 6 and 7: intent and performance.
        if self.context.is_served_by_engine(context.function) {
            return self.serve(context, call, begun).await;
        }
        let provider = self.state().providers.get(context.function.capability);
        let Some(provider) = provider else {
            let fault = Fault::unsupported(
                "site.no-provider",
                format!("site {}", self.context.site),
                format!(
                    "this site names no provider for `{}`",
                    context.function.capability
                ),
            );
            return Ok(Err(match begun {
                Some(begun) if was_begun => self.not_repeated(context.function, fault, begun.since),
                _ => fault,
            }));
        };
        self.first_snapshot(context.function).await?;
        self.give_checked(call);
        call.made = self.state().undo.made(context.function);
        match context.function.effect {
            Effect::Once => {
                let _mutating = self.mutating.lock().await;
                self.once(provider, context, call, begun).await
            }
            Effect::Write => {
                let _mutating = self.mutating.lock().await;
                self.write(provider.as_ref(), context, call, begun).await
            }
            Effect::Wait => {
                let timer = begun.and_then(|it| it.timer);
                self.wait(provider.as_ref(), context, call, timer).await
            }
            Effect::Read | Effect::Ask | Effect::Note => {
                self.read(provider.as_ref(), context, call).await
            }
        }
    }

    /// Before a change of the guest: whether it is the right machine, and whether it may be changed.
    async fn authorize_change(self: &Arc<Self>, context: CallContext<'_>) -> Result<(), Stop> {
        if context.is_change_by_guest() {
            self.check_before(context).await?;
            self.ensure_lease().await?;
            // A machine that is changed from inside must be the right one.
            self.check_installer_identity(context, None).await?;
        }
        Ok(())
    }

    /// Before a call that was begun is made once more: what speaks against it, if anything does.
    pub(crate) async fn may_repeat(
        self: &Arc<Self>,
        context: CallContext<'_>,
    ) -> Result<Option<Fault>, Stop> {
        let refused = self.refuse(context);
        if refused.is_none() {
            self.authorize_change(context).await?;
        }
        Ok(refused)
    }

    /// Whether an answer is one of the real world, and why a twin cannot know it.
    fn reality(&self, sink: &CallSink, number: u64) -> Result<Reality, Stop> {
        let mut not_previewed = sink
            .not_previewed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(
            match (self.state().mode().is_in_twin(), not_previewed.take()) {
                (false, _) => Reality::Real,
                (true, None) => Reality::Assumed,
                (true, Some(why)) => {
                    self.recorder.record(Record::Progress {
                        call: number,
                        text: format!("not previewed: {why}"),
                    })?;
                    Reality::NotPreviewed
                }
            },
        )
    }
}

/// The fault that stands in the record of a call in the middle of which the host stopped the guest.
fn stopped(stop: &Stop, was_begun: bool) -> Fault {
    let mut fault = Fault::denied(STOPPED, "wreimage", stop.to_string()).with("stop", stop.word());
    if was_begun || matches!(stop, Stop::InDoubt(_)) {
        fault.kind = FaultKind::InDoubt;
    }
    fault
}
