//! The person who started the run.

use wreimage_capability::{BoxFuture, Fault};
use wreimage_journal::Question;

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The key of one of its choices.
    pub choice: String,
    /// Who gave it, or what was agreed on for want of an answer.
    pub by: String,
}

/// Asks a person.
pub trait Operator: Send + Sync {
    /// The answer that was left for a question of an earlier process, if there is one. Nobody is asked.
    fn given(&self, _question: &Question) -> Option<Given> {
        None
    }

    /// Asks.
    ///
    /// The fault is `denied` with the code `operator.nobody` when nobody can be asked, and the guest is told so; with the
    /// code [`LATER`] the run pauses.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Given, Fault>>;
}

/// Code of the fault of an operator who cannot be asked now, and will be when the run is resumed.
pub const LATER: &str = "operator.later";

/// There is nobody to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Operator for Nobody {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Given, Fault>> {
        Box::pin(async move {
            Err(Fault::denied(
                wreimage_facts::code::NOBODY,
                "wreimage",
                format!("nobody can be asked: {}", question.question),
            ))
        })
    }
}
