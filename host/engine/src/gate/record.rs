//! What is recorded of a call: its intent before it is made, its outcome afterwards, and the cancel of the run.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::run::stop::Stop;
use serde_json::Value;
use wreimage_capability::{Call, Effect, Function};
use wreimage_journal::{Intent, Level, LogError, Outcome, Reality, Record};

impl RunGate {
    /// Writes a record down and applies it to the ledger, and so the records that follow from it. A record that cannot be kept is
    /// applied only when the run is ended without one.
    pub(crate) fn record(&self, record: Record) -> Result<(), LogError> {
        self.append(record, false)
    }

    /// The same, so that neither this record nor anything before it can be lost.
    pub(crate) fn record_durably(&self, record: Record) -> Result<(), LogError> {
        self.append(record, true)
    }

    fn append(&self, record: Record, durable: bool) -> Result<(), LogError> {
        let time = match self.recorder.record_at(record.clone(), durable) {
            Ok(time) => time,
            Err(error) => {
                if self.recorder.continues_unrecorded() {
                    let now = self.recorder.clock().now();
                    self.state().apply(&record, now);
                }
                return Err(error);
            }
        };
        let follow = self.state().apply(&record, time);
        follow.into_iter().try_for_each(|it| self.append(it, false))
    }

    /// The component that makes a call, for its records.
    pub(crate) fn component(&self, context: CallContext<'_>) -> Option<String> {
        let plug = self.context.plug(context.caller)?;
        context.is_by_guest().then(|| plug.name.clone())
    }

    /// Writes down what is about to be tried, before it is tried.
    pub(crate) fn record_intent(
        &self,
        context: CallContext<'_>,
        call: &Call,
        witness: Option<Value>,
    ) -> Result<(), Stop> {
        let in_twin = self.state().mode().is_in_twin();
        // Who has been overtaken changes nothing any more.
        if let (Some(fence), false) = (&self.fence, in_twin)
            && let Err(why) = fence()
        {
            return Err(Stop::Paused(why));
        }
        let intent = Record::Intent(Intent {
            call: call.sequence,
            function: context.function.to_string(),
            effect: context.function.effect,
            origin: context.origin,
            component: self.component(context),
            arguments: context.arguments.clone(),
            witness,
        });
        // Whatever was read before a change is not read again after it: a loss of power must not make the run forget it.
        Ok(self.append(intent, !in_twin)?)
    }

    /// Writes down what a call was answered.
    pub(crate) fn record_outcome(
        &self,
        function: &'static Function,
        outcome: &Outcome,
    ) -> Result<(), Stop> {
        let durable = function.effect == Effect::Once && outcome.reality == Reality::Real;
        self.append(Record::Outcome(outcome.clone()), durable)?;
        if let (Some(observer), Ok(value), Reality::Real) =
            (&self.observer, &outcome.result, outcome.reality)
        {
            observer(function, &outcome.arguments, value);
        }
        Ok(())
    }

    /// The run is being cancelled: once and for all processes that drive it.
    pub(crate) fn note_cancel(&self) -> Result<(), LogError> {
        if self.state().cancelled {
            return Ok(());
        }
        self.record_durably(Record::Signal {
            signal: "cancel".to_owned(),
        })
    }

    /// Reports to people what the host itself noticed.
    pub(crate) fn warn(&self, text: String) -> Result<(), LogError> {
        self.record_note(Record::Note {
            level: Level::Warning,
            text,
            by_host: true,
            component: None,
        })
    }
}
