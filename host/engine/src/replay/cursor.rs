//! What earlier processes of this run have recorded, and the way of a resumed run along it.
//!
//! A call that is recorded with its outcome is answered from the record; what the run knows is learnt from the records on
//! the way. At the first call without an outcome the run is live again.

use crate::gate::course::Course;
use crate::run::stop::Stop;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};
use wreimage_capability::{Effect, Function};
use wreimage_journal::{
    Entry, GuestEnd, Intent, Origin, Outcome, Question, Reality, Record, Timer,
};

/// Records that have not been passed yet.
#[derive(Debug, Default)]
pub(crate) struct Past {
    rest: VecDeque<Entry>,
}

/// What the past says of a call.
pub(crate) enum Recalled {
    /// It was answered.
    Answered(Box<Outcome>),
    /// It was begun and not answered.
    Open(Box<Open>),
    /// Nothing: the run is live.
    Live,
}

/// A call that a process has begun before it went away.
#[derive(Debug, Default)]
pub(crate) struct Open {
    pub(crate) call: u64,
    /// The last time that it was announced, and when that was.
    pub(crate) intent: Option<Intent>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) timer: Option<Timer>,
    /// The last question about it, and whether it was answered, and nothing begun since.
    pub(crate) question: Option<Question>,
    pub(crate) answer: Option<String>,
}

/// A call as it stands in the record.
struct Made<'a> {
    call: u64,
    /// Function and arguments; a question has none.
    what: Option<(&'a str, &'a Value)>,
    by: Origin,
}

impl Made<'_> {
    fn shown(&self) -> String {
        self.what.map_or_else(
            || "a question to the operator".to_owned(),
            |(name, told)| shown(name, told),
        )
    }
}

/// The call that a record is of, but for those that the host makes on its own account.
fn made(record: &Record) -> Option<Made<'_>> {
    let (call, function, arguments, by) = match record {
        Record::Intent(it) => (it.call, &it.function, &it.arguments, it.origin),
        Record::Outcome(it) => (it.call, &it.function, &it.arguments, it.origin),
        Record::Timer(it) => (it.call, &it.function, &it.arguments, it.origin),
        // The question for consent is the host's own.
        Record::Question(it) if it.consent => return None,
        // What was asked is compared when it is asked again, or with the outcome.
        Record::Question(it) => {
            return Some(Made {
                call: it.call,
                what: None,
                by: Origin::Guest,
            });
        }
        _ => return None,
    };
    (by != Origin::Host).then_some(Made {
        call,
        what: Some((function, arguments)),
        by,
    })
}

impl Past {
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        Past {
            rest: entries.into(),
        }
    }

    /// How the guest's part ended, if it has.
    pub(crate) fn guest_end(&self) -> Option<GuestEnd> {
        self.rest.iter().find_map(|entry| match &entry.record {
            Record::GuestEnded(end) => Some(end.clone()),
            _ => None,
        })
    }

    /// The next call that is to be made again: by the guest, or by the host taking something back.
    fn next_call(&self) -> Option<Made<'_>> {
        let next = self.rest.iter().find_map(|entry| made(&entry.record))?;
        if next.what.is_some() {
            return Some(next);
        }
        // A question that was answered: its outcome has the arguments.
        let outcome = self
            .outcome_of(next.call)
            .and_then(|index| made(&self.rest.get(index)?.record));
        Some(outcome.unwrap_or(next))
    }

    /// The last call, when it has no outcome.
    fn open_call(&self) -> Option<u64> {
        let mut open = None;
        for entry in &self.rest {
            match &entry.record {
                Record::Intent(it) if it.origin != Origin::Host => {
                    open = Some(it.call);
                }
                Record::Outcome(it) if open == Some(it.call) => {
                    open = None;
                }
                _ => {}
            }
        }
        open
    }

    fn outcome_of(&self, call: u64) -> Option<usize> {
        self.rest.iter().position(|entry| {
            matches!(&entry.record, Record::Outcome(it) if it.call == call && it.origin != Origin::Host)
        })
    }

    /// What was begun of a call that has no outcome.
    fn open(&self, call: u64) -> Open {
        let mut open = Open {
            call,
            ..Open::default()
        };
        for entry in &self.rest {
            match &entry.record {
                Record::Intent(it) if it.call == call => {
                    // Announced again after an answer: the answer has been acted on.
                    open.intent = Some(it.clone());
                    open.since = Some(entry.time);
                    open.question = None;
                    open.answer = None;
                }
                // It was not made after all.
                Record::Withheld { call: it, .. } if *it == call => open.intent = None,
                Record::Timer(it) if it.call == call => open.timer = Some(it.clone()),
                Record::Question(it) if it.call == call => {
                    open.question = Some(it.clone());
                    open.answer = None;
                }
                Record::Answer(it) if it.call == call => open.answer = Some(it.answer.clone()),
                _ => {}
            }
        }
        open
    }
}

fn shown(function: &str, arguments: &Value) -> String {
    let text: String = arguments.to_string().chars().take(400).collect();
    format!("{function}({text})")
}

impl Course {
    fn past(&self) -> MutexGuard<'_, Option<Past>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The records of earlier processes.
    pub(crate) fn has_past(&self, entries: Vec<Entry>) {
        if let Some(header) = entries.first() {
            self.state().learn_beginning(header.time);
        }
        *self.past() = Some(Past::new(entries));
    }

    /// How the guest's part ended in an earlier process, if it has.
    pub(crate) fn guest_end(&self) -> Option<GuestEnd> {
        self.past().as_ref().and_then(Past::guest_end)
    }

    /// Whether the run goes along its own records.
    pub(crate) fn is_replaying(&self) -> bool {
        self.past().is_some()
    }

    /// Looks for a call in the past, and learns everything up to its outcome.
    pub(crate) fn recall(
        &self,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
    ) -> Result<Recalled, Stop> {
        let mut past = self.past();
        let Some(there) = past.as_mut() else {
            return Ok(Recalled::Live);
        };
        // What the host asks on its own account it asks anew; the guest's notes may still be ahead.
        if origin == Origin::Host {
            return Ok(Recalled::Live);
        }
        let Some(made) = there.next_call() else {
            self.learn_rest(&mut past);
            return Ok(Recalled::Live);
        };
        let same = made.by == origin
            && made
                .what
                .map_or(function.capability == "operator", |(name, told)| {
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
            let open = there.open(call);
            self.learn_rest(&mut past);
            return Ok(Recalled::Open(Box::new(open)));
        };
        let mut answered = None;
        for entry in there.rest.drain(..=index) {
            self.relearn(&entry);
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
            Some(outcome) => Recalled::Answered(Box::new(outcome)),
            None => Recalled::Live,
        })
    }

    /// Passes a note that is made again: true when it is in the record, or too far back to be looked for.
    pub(crate) fn recall_note(&self, record: &Record) -> bool {
        let mut past = self.past();
        let Some(there) = past.as_mut() else {
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
                    self.relearn(&entry);
                }
                true
            }
            // Later calls are recorded: this is the past, whatever the guest says of it now.
            None if stretch < there.rest.len() => true,
            // The guest may still make those that are left.
            None if matches!(record, Record::Note { by_host: true, .. }) => false,
            None => {
                self.learn_rest(&mut past);
                false
            }
        }
    }

    /// The guest has come to its end, in this way: nothing that it once called may be left.
    pub(crate) fn recall_end(&self, how: &str) -> Result<(), Stop> {
        let mut past = self.past();
        let Some(there) = past.as_mut() else {
            return Ok(());
        };
        if let Some(made) = there.next_call() {
            return Err(Stop::Diverged {
                recorded: made.shown(),
                called: format!("the end of the guest ({how})"),
            });
        }
        self.learn_rest(&mut past);
        Ok(())
    }

    /// Learns everything: the guest is not gone on with. Calls that were begun and may hurt are in doubt.
    pub(crate) fn recall_all(&self) {
        let mut past = self.past();
        let mut doubts = Vec::new();
        if let Some(there) = past.as_ref()
            && let Some(call) = there.open_call()
            && let Some(intent) = there.open(call).intent
            && intent.effect == Effect::Once
        {
            doubts.push(format!(
                "whether {} happened is unknown, the process that called it went away: look at {}",
                intent.function, self.host
            ));
        }
        self.learn_rest(&mut past);
        let mut state = self.state();
        state.at_edge = false;
        state.doubts.extend(doubts);
    }

    /// Learns everything up to the end of the guest's part, which is not made again.
    pub(crate) fn recall_guest(&self) {
        let mut past = self.past();
        let Some(there) = past.as_mut() else { return };
        while let Some(entry) = there.rest.pop_front() {
            self.relearn(&entry);
            if matches!(entry.record, Record::GuestEnded(_)) {
                break;
            }
        }
    }

    /// What was not learnt yet is learnt; from here on the run is live.
    fn learn_rest(&self, past: &mut MutexGuard<'_, Option<Past>>) {
        let Some(there) = past.take() else { return };
        for entry in there.rest {
            self.relearn(&entry);
        }
        let mut state = self.state();
        state.at_edge = true;
        if state.cancelled && !state.closing {
            self.cancel.cancel();
        }
    }

    fn relearn(&self, entry: &Entry) {
        self.state().relearn(&entry.record, entry.time);
        if let (Some(observer), Record::Outcome(outcome)) = (&self.observer, &entry.record)
            && let (Ok(value), Reality::Real) = (&outcome.result, outcome.reality)
            && let Some(function) = self.catalogue.function(&outcome.function)
        {
            observer(function, &outcome.arguments, value);
        }
    }
}

/// Whether a note is the one of the record, but for its times.
fn same_note(recorded: &Record, made: &Record) -> bool {
    match (recorded, made) {
        (Record::StepEnded { name: one, .. }, Record::StepEnded { name: other, .. }) => {
            one == other
        }
        (Record::UndoClosed(one), Record::UndoClosed(other)) => one.call == other.call,
        (one, other) => one == other,
    }
}
