//! What earlier processes of this run have recorded, and the way of a resumed run along it.
//!
//! A call that is recorded with its outcome is answered from the record; what the run knows is learnt from the records on
//! the way. At the first call without an outcome the run is live again.

use jiff::Timestamp;
use serde_json::Value;
use std::collections::VecDeque;
use wreimage_journal::{Entry, GuestEnd, Intent, Origin, Outcome, Question, Record, Timer};

/// Records that have not been passed yet.
#[derive(Debug, Default)]
pub(crate) struct ReplayCursor {
    pub(super) rest: VecDeque<Entry>,
}

/// What the past says of a call.
pub(crate) enum ReplayMatch {
    /// It was answered.
    Answered(Box<Outcome>),
    /// It was begun and not answered.
    Begun(Box<BegunCall>),
    /// Nothing: the run is live.
    Live,
}

/// A call that a process has begun before it went away.
#[derive(Debug, Default)]
pub(crate) struct BegunCall {
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
pub(super) struct RecordedCall<'a> {
    pub(super) call: u64,
    /// Function and arguments; a question has none.
    pub(super) what: Option<(&'a str, &'a Value)>,
    pub(super) by: Origin,
}

impl RecordedCall<'_> {
    pub(super) fn shown(&self) -> String {
        self.what.map_or_else(
            || "a question to the operator".to_owned(),
            |(name, told)| shown(name, told),
        )
    }
}

/// The call that a record is of, but for those that the host makes on its own account.
pub(super) fn made(record: &Record) -> Option<RecordedCall<'_>> {
    let (call, function, arguments, by) = match record {
        Record::Intent(it) => (it.call, &it.function, &it.arguments, it.origin),
        Record::Outcome(it) => (it.call, &it.function, &it.arguments, it.origin),
        Record::Timer(it) => (it.call, &it.function, &it.arguments, it.origin),
        // The question for consent is the host's own.
        Record::Question(it) if it.consent => return None,
        // What was asked is compared when it is asked again, or with the outcome.
        Record::Question(it) => {
            return Some(RecordedCall {
                call: it.call,
                what: None,
                by: Origin::Guest,
            });
        }
        _ => return None,
    };
    (by != Origin::Host).then_some(RecordedCall {
        call,
        what: Some((function, arguments)),
        by,
    })
}

impl ReplayCursor {
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        ReplayCursor {
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
    pub(super) fn next_call(&self) -> Option<RecordedCall<'_>> {
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
    pub(super) fn open_call(&self) -> Option<u64> {
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

    pub(super) fn outcome_of(&self, call: u64) -> Option<usize> {
        self.rest.iter().position(|entry| {
            matches!(&entry.record, Record::Outcome(it) if it.call == call && it.origin != Origin::Host)
        })
    }

    /// What was begun of a call that has no outcome.
    pub(super) fn begun(&self, call: u64) -> BegunCall {
        let mut open = BegunCall {
            call,
            ..BegunCall::default()
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

pub(crate) fn shown(function: &str, arguments: &Value) -> String {
    let text: String = arguments.to_string().chars().take(400).collect();
    format!("{function}({text})")
}

/// Whether a note is the one of the record, but for its times.
pub(crate) fn same_note(recorded: &Record, made: &Record) -> bool {
    match (recorded, made) {
        (Record::StepEnded { name: one, .. }, Record::StepEnded { name: other, .. }) => {
            one == other
        }
        (Record::UndoClosed(one), Record::UndoClosed(other)) => one.call == other.call,
        (one, other) => one == other,
    }
}
