//! Why the host stops a guest in the middle of a call.

use wreimage_journal::LogError;

/// The guest is not given a choice about these.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The first mutation was not allowed: nothing has been touched.
    #[error("{0}")]
    Refused(String),
    /// The machine is not the one of the inventory.
    #[error("{0}")]
    WrongMachine(String),
    /// What happened can no longer be recorded.
    #[error(transparent)]
    Record(#[from] LogError),
    /// Whether a call happened is unknown, and nobody cleared it up: nothing more may be done on that ground.
    #[error("{0}")]
    InDoubt(String),
    /// The run was cancelled while it waited for consent.
    #[error("the run was cancelled")]
    Cancelled,
    /// The rehearsal cannot go on.
    #[error("the rehearsal cannot go on: {0}")]
    Twin(String),
}
