//! The person who started the run.

use wreimage_capability::{BoxFuture, Fault};
use wreimage_journal::Question;

/// Asks a person.
pub trait Operator: Send + Sync {
    /// The key of one of the question's choices.
    ///
    /// The fault is `denied` with the code `operator.nobody` when nobody can be asked, and the guest is told so; with the
    /// code [`LATER`] the run pauses.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<String, Fault>>;
}

/// Code of the fault of an operator who cannot be asked now, and will be when the run is resumed.
pub const LATER: &str = "operator.later";

/// There is nobody to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Operator for Nobody {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<String, Fault>> {
        Box::pin(async move {
            Err(Fault::denied(
                "operator.nobody",
                "wreimage",
                format!("nobody can be asked: {}", question.question),
            ))
        })
    }
}
