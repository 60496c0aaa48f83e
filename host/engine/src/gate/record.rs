//! What is recorded of a call: its intent before it is made, its outcome afterwards, and the cancel of the run.

use crate::gate::course::Course;
use crate::run::stop::Stop;
use serde_json::Value;
use wreimage_capability::{Call, Effect, Function};
use wreimage_journal::{Intent, Level, LogError, Origin, Outcome, Reality, Record};

impl Course {
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

    /// The run is being cancelled: once and for all processes that drive it.
    pub(crate) fn note_cancel(&self) -> Result<(), LogError> {
        if std::mem::replace(&mut self.state().cancelled, true) {
            return Ok(());
        }
        self.recorder.record_durably(Record::Signal {
            signal: "cancel".to_owned(),
        })
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
}
