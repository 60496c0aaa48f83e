//! Steps, questions, and what became of the undo list.

use serde::{Deserialize, Serialize};

/// How much something matters, or how a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Left out on purpose.
    Skipped,
    /// Done.
    Success,
    /// Done or not, and somebody should look.
    Warning,
    /// Not done.
    Failure,
    /// The guest went away in the middle.
    Unfinished,
}

impl Level {
    /// The level as a word.
    pub fn word(self) -> &'static str {
        match self {
            Level::Skipped => "skipped",
            Level::Success => "success",
            Level::Warning => "warning",
            Level::Failure => "failure",
            Level::Unfinished => "unfinished",
        }
    }
}

/// The operator is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Number of the call.
    pub call: u64,
    /// The question.
    pub question: String,
    /// Answers that can be given, with what they do.
    pub choices: Vec<(String, String)>,
    /// The host itself asks for leave to make the first change, to which the host's name is consent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub consent: bool,
}

/// The operator has answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// Number of the call.
    pub call: u64,
    /// One of the choices.
    pub answer: String,
    /// Who gave it, or the default that was given for want of an answer.
    #[serde(default)]
    pub by: String,
}

/// What became of an entry of the undo list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoState {
    /// Taken back.
    Done,
    /// Tried, and it failed: something is left.
    Failed,
    /// There was nothing to take back any more.
    NotNeeded,
    /// Left on purpose.
    Left,
}

impl UndoState {
    /// The state as a word.
    pub fn word(self) -> &'static str {
        match self {
            UndoState::Done => "done",
            UndoState::Failed => "failed",
            UndoState::NotNeeded => "not-needed",
            UndoState::Left => "left",
        }
    }
}

/// An entry of the undo list is settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoClosed {
    /// Number of the call that made the thing.
    pub call: u64,
    /// What takes it back.
    pub inverse: String,
    /// What was taken back, for people.
    pub thing: String,
    /// What became of it.
    pub state: UndoState,
    /// Why, where it is not plain.
    pub text: String,
}
