//! Why the host stops a guest in the middle of a call.

use wreimage_journal::LogError;

/// The guest is not given a choice about these.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A change was not allowed. When it was the first, nothing has been touched.
    #[error("{0}")]
    Refused(String),
    /// The machine is not the one of the inventory.
    #[error("{0}")]
    WrongMachine(String),
    /// The machine that was changed is not there any more, or is described as another one.
    #[error("{0}")]
    AnotherMachine(String),
    /// What happened can no longer be recorded.
    #[error(transparent)]
    Record(#[from] LogError),
    /// Whether a call happened is unknown, and nobody cleared it up: nothing more may be done on that ground.
    #[error("{0}")]
    InDoubt(String),
    /// The run was cancelled while it waited for consent.
    #[error("the run was cancelled")]
    Cancelled,
    /// The guest calls something else than it did before.
    #[error(
        "the guest does not do what it did before: the journal has {recorded}, and now comes {called}. Nothing was \
         done by it. A guest that does the same goes on; `wreimage cleanup` ends the run"
    )]
    Diverged {
        /// What the journal has.
        recorded: String,
        /// What the guest calls now.
        called: String,
    },
    /// A trial along the records has come to their end.
    #[error("the journal ends here")]
    Edge,
    /// The run waits for a person.
    #[error("{0}")]
    Paused(String),
    /// The rehearsal cannot go on.
    #[error("the rehearsal cannot go on: {0}")]
    Twin(String),
}

impl Stop {
    /// The kind of reason, as it stands in the record.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Stop::Refused(_) => "refused",
            Stop::WrongMachine(_) => "wrong-machine",
            Stop::AnotherMachine(_) => "another-machine",
            Stop::Record(_) => "record",
            Stop::InDoubt(_) => "in-doubt",
            Stop::Cancelled => "cancelled",
            Stop::Diverged { .. } => "diverged",
            Stop::Edge => "edge",
            Stop::Paused(_) => "paused",
            Stop::Twin(_) => "twin",
        }
    }

    /// The reason behind such a word.
    pub(crate) fn from_word(word: &str, text: String) -> Stop {
        match word {
            "refused" => Stop::Refused(text),
            "wrong-machine" => Stop::WrongMachine(text),
            "another-machine" => Stop::AnotherMachine(text),
            "cancelled" => Stop::Cancelled,
            "twin" => Stop::Twin(text),
            _ => Stop::InDoubt(text),
        }
    }

    /// Whether the run can go on later; nothing is taken back then.
    pub(crate) fn is_pause(&self) -> bool {
        matches!(self, Stop::Diverged { .. } | Stop::Paused(_))
    }
}
