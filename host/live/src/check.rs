//! What `wreimage site check` reports.

use crate::redact::without_secrets;
use wreimage_capability::Fault;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckLine {
    /// What was tried, such as `BMC host1001.mgmt.lab1.test`.
    pub what: String,
    /// Whether it went well.
    pub ok: bool,
    /// What was found, or what is wrong and what to do.
    pub message: String,
}

impl CheckLine {
    /// A line without secrets.
    pub fn of(what: impl Into<String>, result: Result<String, String>) -> Self {
        let (ok, message) = match result {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        CheckLine {
            what: without_secrets(&what.into()).into_owned(),
            ok,
            message: without_secrets(&message).into_owned(),
        }
    }

    /// The line of an answer.
    pub fn of_answer(what: impl Into<String>, result: Result<String, Fault>) -> Self {
        Self::of(what, result.map_err(|fault| fault.message))
    }
}
