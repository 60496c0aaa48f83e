//! How a run ended.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How a run ended, or that it waits. The codes with which a program exits are none of the journal's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Done.
    Success,
    /// Done, with warnings.
    Warnings,
    /// Not done, and something was changed or tried.
    Failed,
    /// Not done, and nothing was changed.
    Refused,
    /// An operator cancelled it.
    Cancelled,
    /// It waits for an operator and can be resumed. Only a report has this outcome: a journal of a paused run has no ending.
    Paused,
}

impl RunOutcome {
    /// All outcomes.
    pub const ALL: [RunOutcome; 6] = [
        RunOutcome::Success,
        RunOutcome::Warnings,
        RunOutcome::Failed,
        RunOutcome::Refused,
        RunOutcome::Cancelled,
        RunOutcome::Paused,
    ];

    /// The outcome as a word, the same as in a journal.
    pub fn word(self) -> &'static str {
        match self {
            RunOutcome::Success => "success",
            RunOutcome::Warnings => "warnings",
            RunOutcome::Failed => "failed",
            RunOutcome::Refused => "refused",
            RunOutcome::Cancelled => "cancelled",
            RunOutcome::Paused => "paused",
        }
    }

    /// Whether the run is done, with warnings or without.
    pub fn is_success(self) -> bool {
        matches!(self, RunOutcome::Success | RunOutcome::Warnings)
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no run ends as `{0}`")]
pub struct UnknownOutcome(pub String);

impl FromStr for RunOutcome {
    type Err = UnknownOutcome;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let mut all = RunOutcome::ALL.into_iter();
        all.find(|outcome| outcome.word() == word)
            .ok_or_else(|| UnknownOutcome(word.to_owned()))
    }
}

/// How a run ended: its last record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "RecordedEnding")]
pub struct Ending {
    /// How.
    pub outcome: RunOutcome,
    /// What a tired person reads first.
    pub summary: String,
    /// Whether anything was changed.
    pub touched: bool,
    /// What could not be taken back, or was left on purpose.
    pub left: Vec<String>,
    /// The guest refused its options before it changed anything: the call was wrong.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invalid_options: bool,
}

/// The form of an ending in a journal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedEnding {
    outcome: RunOutcome,
    summary: String,
    touched: bool,
    left: Vec<String>,
    #[serde(default)]
    invalid_options: bool,
    /// Earlier versions recorded the exit code of the program instead. It follows from the rest, but for this one.
    exit_code: Option<u8>,
}

/// The exit code by which earlier versions recorded that the guest refused its options.
const EARLIER_INVALID_OPTIONS: u8 = 64;

impl From<RecordedEnding> for Ending {
    fn from(recorded: RecordedEnding) -> Self {
        let RecordedEnding {
            outcome,
            summary,
            touched,
            left,
            invalid_options,
            exit_code,
        } = recorded;
        Ending {
            outcome,
            summary,
            touched,
            left,
            invalid_options: invalid_options || exit_code == Some(EARLIER_INVALID_OPTIONS),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_outcome_is_the_same_word_everywhere() {
        for outcome in RunOutcome::ALL {
            assert_eq!(outcome.word().parse(), Ok(outcome));
            assert_eq!(json!(outcome), json!(outcome.word()));
        }
        assert!("".parse::<RunOutcome>().is_err());
    }

    #[test]
    fn an_ending_of_an_earlier_version_is_read_and_its_exit_code_is_not_kept() {
        let recorded = |outcome: &str, code: u8| json!({ "outcome": outcome, "summary": "s", "touched": false, "left": [], "exit_code": code });
        let read = |value| serde_json::from_value::<Ending>(value);
        let refused = read(recorded("refused", 40)).unwrap();
        assert!(!refused.invalid_options);
        assert_eq!(
            json!(refused),
            json!({ "outcome": "refused", "summary": "s", "touched": false, "left": [] })
        );
        let usage = read(recorded("refused", 64)).unwrap();
        assert!(usage.invalid_options);
        assert_eq!(read(json!(usage)).unwrap(), usage);
        assert!(read(recorded("dissolved", 40)).is_err());
        let mut later = recorded("success", 0);
        later["until"] = json!("noon");
        assert!(read(later).is_err());
    }
}
