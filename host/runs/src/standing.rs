//! Where a run stands.

use crate::text::short;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use wreimage_journal::{Entry, Header, Mode, Question, Record, RunOutcome};

/// Whether a run goes on, waits, was left by its process, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// A process drives it.
    Running,
    /// A process drives it, and it waits for an answer.
    Waiting,
    /// It waits for an operator, and no process drives it.
    Paused,
    /// Its process went away.
    Lost,
    /// It has ended.
    Ended(RunOutcome),
}

impl RunState {
    /// The states of runs that have not ended.
    const OPEN: [RunState; 4] = [
        RunState::Running,
        RunState::Waiting,
        RunState::Paused,
        RunState::Lost,
    ];

    /// The state as a word; of a run that has ended, its outcome.
    pub fn word(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Waiting => "waiting",
            RunState::Paused => "paused",
            RunState::Lost => "lost",
            RunState::Ended(outcome) => outcome.word(),
        }
    }

    /// Whether the run has ended: nothing is added to its journal any more.
    pub fn has_ended(self) -> bool {
        matches!(self, RunState::Ended(_))
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for RunState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for RunState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let mut open = RunState::OPEN.into_iter();
        match open.find(|state| state.word() == word) {
            Some(state) => Ok(state),
            None => word.parse().map(RunState::Ended).map_err(de::Error::custom),
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Standing {
    /// Id of the run.
    pub run: String,
    /// Short name of its host.
    pub host: String,
    /// Name of its site.
    pub site: String,
    /// Name of its guest.
    pub guest: String,
    /// Who started it.
    pub actor: String,
    /// The batch that it is one of.
    pub batch: Option<String>,
    /// Whether it is a rehearsal: it changes nothing.
    #[serde(rename = "dry_run")]
    pub dry_run: bool,
    /// `live`, `lab`, or the folder of the lab's world.
    pub mode: Mode,
    /// Whether it goes on, waits, or how it ended.
    pub state: RunState,
    /// The step that it is in, or stopped in.
    pub step: Option<String>,
    /// The question that waits for an answer.
    pub question: Option<Question>,
    /// For whom or what it waits, if it does.
    pub waits_for: Option<String>,
    /// Whether other runs are kept from its host.
    pub locked: bool,
    /// When it began, by its own clock.
    pub began: Timestamp,
    /// The time of its last record, by its own clock.
    pub last: Timestamp,
    /// Why it was started, in the words of who started it.
    pub reason: Option<String>,
}

impl Standing {
    /// What kind of run it is, in a word.
    pub fn kind(&self) -> &'static str {
        match (&self.mode, self.dry_run) {
            (_, true) => "rehearsal",
            (Mode::Live, false) => "live",
            (Mode::Lab | Mode::World(_), false) => "lab",
        }
    }

    /// The standing of the run of these records; `None` when it never began.
    pub fn of(entries: &[Entry], is_driven: bool) -> Option<Standing> {
        let (first, last) = (entries.first()?, entries.last()?);
        let Record::Header(header) = &first.record else {
            return None;
        };
        let question = open_question(entries).map(|open| open.question);
        let state = match &last.record {
            Record::Finished(ending) => RunState::Ended(ending.outcome),
            _ if is_driven && question.is_some() => RunState::Waiting,
            _ if is_driven => RunState::Running,
            Record::Paused { .. } => RunState::Paused,
            _ => RunState::Lost,
        };
        let waits_for = waits_for(state, header, question.as_ref(), entries);
        let locked = header.lock.is_some();
        let Header {
            run,
            host,
            site,
            guest,
            actor,
            batch,
            reason,
            dry_run,
            mode,
            ..
        } = header.as_ref().clone();
        Some(Standing {
            run,
            host,
            site,
            guest,
            actor,
            batch,
            dry_run,
            mode,
            state,
            step: last_step(entries),
            question,
            waits_for,
            locked,
            began: first.time,
            last: last.time,
            reason,
        })
    }

    /// The state in a line, with the question that waits for an answer.
    pub fn line(&self) -> String {
        match &self.question {
            Some(question) => format!("{}: {}", self.state, short(&question.question)),
            None => self.state.word().to_owned(),
        }
    }
}

/// For whom or what a run waits.
fn waits_for(
    state: RunState,
    header: &Header,
    question: Option<&Question>,
    entries: &[Entry],
) -> Option<String> {
    let last = entries.last().map(|entry| &entry.record);
    match (state, question) {
        (RunState::Waiting | RunState::Paused | RunState::Lost, Some(question)) => {
            Some(format!("an answer: {}", short(&question.question)))
        }
        (RunState::Running, _) => match last {
            // What the call that is under way has seen last.
            Some(Record::Progress { text, .. }) => {
                Some(format!("{}: {}", header.host, short(text)))
            }
            _ => None,
        },
        (RunState::Paused, None) => match last {
            Some(Record::Paused { why }) => Some(format!("somebody: {}", short(why))),
            _ => None,
        },
        (RunState::Lost, None) if header.resumable => Some("somebody to go on with it".to_owned()),
        _ => None,
    }
}

/// The first record of a run.
pub fn header_of(entries: &[Entry]) -> Option<&Header> {
    match &entries.first()?.record {
        Record::Header(header) => Some(header),
        _ => None,
    }
}

fn last_step(entries: &[Entry]) -> Option<String> {
    entries.iter().rev().find_map(|entry| match &entry.record {
        Record::StepBegan { phase, name, .. } => Some(format!("{phase}: {name}")),
        _ => None,
    })
}

/// A question that waits for an answer.
#[derive(Debug, Clone)]
pub struct OpenQuestion {
    /// The number of its record. The same call may ask again.
    pub number: u64,
    /// The question.
    pub question: Question,
}

/// The last question, if it has no answer yet.
pub fn open_question(entries: &[Entry]) -> Option<OpenQuestion> {
    let mut open: Option<OpenQuestion> = None;
    for entry in entries {
        let is_of = |call: u64| open.as_ref().is_some_and(|it| it.question.call == call);
        match &entry.record {
            Record::Question(question) => {
                open = Some(OpenQuestion {
                    number: entry.number,
                    question: question.clone(),
                });
            }
            Record::Answer(answer) if is_of(answer.call) => open = None,
            Record::Outcome(outcome) if is_of(outcome.call) => open = None,
            Record::Finished(_) => open = None,
            _ => {}
        }
    }
    open
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let ended = RunOutcome::ALL.map(RunState::Ended).into_iter();
        // A journal has no ending of a paused run.
        let ended = ended.filter(|it| *it != RunState::Ended(RunOutcome::Paused));
        for state in RunState::OPEN.into_iter().chain(ended) {
            let read: RunState = serde_json::from_value(json!(state)).unwrap();
            assert_eq!(read, state);
        }
        assert!(serde_json::from_value::<RunState>(json!("asleep")).is_err());
    }
}
