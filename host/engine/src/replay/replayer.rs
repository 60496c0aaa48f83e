//! The way of a resumed run along its records.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::replay::cursor::{ReplayCursor, ReplayMatch, made, same_note, shown};
use crate::run::stop::Stop;
use std::sync::{MutexGuard, PoisonError};
use wreimage_capability::Effect;
use wreimage_journal::{Entry, GuestEnd, Origin, Reality, Record};

impl RunGate {
    fn cursor(&self) -> MutexGuard<'_, Option<ReplayCursor>> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The records of earlier processes.
    pub(crate) fn has_past(&self, entries: Vec<Entry>) {
        if let Some(header) = entries.first() {
            self.state().apply(&header.record, header.time);
        }
        *self.cursor() = Some(ReplayCursor::new(entries));
    }

    /// How the guest's part ended in an earlier process, if it has.
    pub(crate) fn guest_end(&self) -> Option<GuestEnd> {
        self.cursor().as_ref().and_then(ReplayCursor::guest_end)
    }

    /// Whether the run passes along its own records.
    pub(crate) fn is_replaying(&self) -> bool {
        self.cursor().is_some()
    }

    /// Stage 1: looks for a call in the records, and applies everything up to its outcome.
    pub(crate) fn replay(&self, context: CallContext<'_>) -> Result<ReplayMatch, Stop> {
        let CallContext {
            function,
            arguments,
            origin,
            ..
        } = context;
        let mut cursor = self.cursor();
        let Some(there) = cursor.as_mut() else {
            return Ok(ReplayMatch::Live);
        };
        // What the host asks on its own account it asks anew; the guest's notes may still be ahead.
        if origin == Origin::Host {
            return Ok(ReplayMatch::Live);
        }
        let Some(made) = there.next_call() else {
            self.finish_replay(&mut cursor);
            return Ok(ReplayMatch::Live);
        };
        let is_question = function.effect == Effect::Ask;
        let same = made.by == origin
            && made.what.map_or(is_question, |(name, told)| {
                name == function.to_string() && told == arguments
            });
        if !same {
            return Err(Stop::Diverged {
                recorded: made.shown(),
                called: shown(&function.to_string(), arguments),
            });
        }
        let call = made.call;
        let Some(index) = there.outcome_of(call) else {
            let open = there.begun(call);
            self.finish_replay(&mut cursor);
            return Ok(ReplayMatch::Begun(Box::new(open)));
        };
        let mut answered = None;
        for entry in there.rest.drain(..=index) {
            self.restore(&entry);
            if let Record::Outcome(outcome) = entry.record {
                answered = Some(outcome);
            }
        }
        // At the edge nothing is left to be made again.
        if there.next_call().is_none() && there.guest_end().is_none() {
            // Notes may be left; they are passed as they are made again.
            self.state().at_edge = true;
        }
        Ok(match answered {
            Some(outcome) => ReplayMatch::Answered(Box::new(outcome)),
            None => ReplayMatch::Live,
        })
    }

    /// Passes a note that is made again: true when it is in the records, or too far back to be looked for.
    pub(crate) fn replay_note(&self, record: &Record) -> bool {
        let mut cursor = self.cursor();
        let Some(there) = cursor.as_mut() else {
            return false;
        };
        let stretch = there
            .rest
            .iter()
            .position(|entry| made(&entry.record).is_some())
            .unwrap_or(there.rest.len());
        let found = there
            .rest
            .iter()
            .take(stretch)
            .position(|entry| same_note(&entry.record, record));
        match found {
            Some(index) => {
                for entry in there.rest.drain(..=index) {
                    self.restore(&entry);
                }
                true
            }
            // Later calls are recorded: this is the past, whatever the guest says of it now.
            None if stretch < there.rest.len() => true,
            // The guest may still make those that are left.
            None if matches!(record, Record::Note { by_host: true, .. }) => false,
            None => {
                self.finish_replay(&mut cursor);
                false
            }
        }
    }

    /// The guest has come to its end, in this way: nothing that it once called may be left.
    pub(crate) fn replay_end(&self, how: &str) -> Result<(), Stop> {
        let mut cursor = self.cursor();
        let Some(there) = cursor.as_mut() else {
            return Ok(());
        };
        if let Some(made) = there.next_call() {
            return Err(Stop::Diverged {
                recorded: made.shown(),
                called: format!("the end of the guest ({how})"),
            });
        }
        self.finish_replay(&mut cursor);
        Ok(())
    }

    /// Applies everything: the guest is not continued. Calls that were begun and may hurt are in doubt.
    pub(crate) fn replay_all(&self) {
        let mut cursor = self.cursor();
        let mut doubts = Vec::new();
        if let Some(there) = cursor.as_ref()
            && let Some(call) = there.open_call()
            && let Some(intent) = there.begun(call).intent
            && intent.effect == Effect::Once
        {
            doubts.push(format!(
                "whether {} happened is unknown, the process that called it went away: look at {}",
                intent.function, self.context.host
            ));
        }
        self.finish_replay(&mut cursor);
        let mut state = self.state();
        state.at_edge = false;
        state.own_doubts.extend(doubts);
    }

    /// Applies everything up to the end of the guest's part, which is not made again.
    pub(crate) fn replay_guest(&self) {
        let mut cursor = self.cursor();
        let Some(there) = cursor.as_mut() else { return };
        while let Some(entry) = there.rest.pop_front() {
            self.restore(&entry);
            if matches!(entry.record, Record::GuestEnded(_)) {
                break;
            }
        }
    }

    /// What was not applied yet is applied; from here on the run is live.
    fn finish_replay(&self, cursor: &mut MutexGuard<'_, Option<ReplayCursor>>) {
        let Some(there) = cursor.take() else { return };
        for entry in there.rest {
            self.restore(&entry);
        }
        let mut state = self.state();
        state.at_edge = true;
        if state.cancelled && !state.mode().is_closing() {
            self.cancel.cancel();
        }
    }

    fn restore(&self, entry: &Entry) {
        self.state().apply(&entry.record, entry.time);
        if let (Some(observer), Record::Outcome(outcome)) = (&self.observer, &entry.record)
            && let (Ok(value), Reality::Real) = (&outcome.result, outcome.reality)
            && let Some(function) = self.context.catalogue.function(&outcome.function)
        {
            observer(function, &outcome.arguments, value);
        }
    }
}
