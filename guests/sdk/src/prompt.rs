//! Questions to the operator.

use crate::Fault;
use crate::bindings::wreimage::operator::operator;

/// The code of the fault that every question ends with when nobody can be asked.
pub const NOBODY: &str = wreimage_facts::code::NOBODY;

/// What an operator can say when something failed or does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Do it again.
    Retry,
    /// Go on without it.
    Skip,
    /// Wait as long again.
    Wait,
    /// End the run.
    Abort,
}

impl Answer {
    const ALL: [Answer; 4] = [Answer::Retry, Answer::Skip, Answer::Wait, Answer::Abort];

    /// What is typed.
    pub const fn key(self) -> &'static str {
        match self {
            Answer::Retry => "retry",
            Answer::Skip => "skip",
            Answer::Wait => "wait",
            Answer::Abort => "abort",
        }
    }
}

/// Asks yes or no.
///
/// # Errors
/// `denied` (code [`NOBODY`]) when nobody can be asked, `timeout`.
pub fn confirm(question: &str) -> Result<bool, Fault> {
    operator::confirm(question)
}

/// Asks for one of these answers; beside each stands what it does.
///
/// # Errors
/// As [`confirm`]. A host that returns an answer that was not offered is taken to say [`Answer::Abort`].
pub fn choose(question: &str, answers: &[(Answer, &str)]) -> Result<Answer, Fault> {
    let choices: Vec<_> = answers
        .iter()
        .map(|(answer, label)| operator::Choice {
            key: answer.key().to_owned(),
            label: (*label).to_owned(),
        })
        .collect();
    let key = operator::choose(question, &choices)?;
    Ok(Answer::ALL
        .into_iter()
        .find(|answer| answer.key() == key)
        .unwrap_or(Answer::Abort))
}
