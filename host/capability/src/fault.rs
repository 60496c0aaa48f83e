//! Making and reading faults.

use crate::{Fault, FaultKind};

impl Fault {
    /// A fault that will not go away by trying again.
    pub fn new(
        kind: FaultKind,
        code: &str,
        system: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Fault {
            kind,
            code: code.to_owned(),
            retryable: false,
            system: system.into(),
            message: message.into(),
            extra: Vec::new(),
        }
    }

    /// The same fault, marked as worth another try.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Adds a detail for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.extra.push((name.to_owned(), value.into()));
        self
    }

    /// Nothing answered.
    pub fn unreachable(code: &str, system: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::new(FaultKind::Unreachable, code, system, message).retryable()
    }

    /// It did not end in time.
    pub fn timeout(code: &str, system: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::new(FaultKind::Timeout, code, system, message).retryable()
    }

    /// Not permitted.
    pub fn denied(code: &str, system: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::new(FaultKind::Denied, code, system, message)
    }

    /// The thing asked about does not exist.
    pub fn not_found(code: &str, system: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::new(FaultKind::NotFound, code, system, message)
    }

    /// Something else is in the way.
    pub fn conflict(code: &str, system: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::new(FaultKind::Conflict, code, system, message)
    }

    /// The system refused, or the result that was read back is another.
    pub fn rejected(code: &str, system: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::new(FaultKind::Rejected, code, system, message)
    }

    /// The site, the machine or the system cannot do this.
    pub fn unsupported(code: &str, system: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::new(FaultKind::Unsupported, code, system, message)
    }

    /// Whether it happened is unknown.
    pub fn in_doubt(code: &str, system: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::new(FaultKind::InDoubt, code, system, message)
    }

    /// The run was cancelled.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Fault::new(
            FaultKind::Cancelled,
            "run.cancelled",
            "wreimage",
            message.into(),
        )
    }

    /// Anything else.
    pub fn other(code: &str, system: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::new(
            FaultKind::Other("internal".to_owned()),
            code,
            system,
            message,
        )
    }

    /// Whether the call may have had its effect although it failed: its deadline passed, or the answer was lost.
    pub fn leaves_doubt(&self) -> bool {
        matches!(self.kind, FaultKind::InDoubt | FaultKind::Timeout)
    }
}

impl FaultKind {
    /// The kind as a word, as in WIT.
    pub fn word(&self) -> &str {
        match self {
            FaultKind::Unreachable => "unreachable",
            FaultKind::Timeout => "timeout",
            FaultKind::Denied => "denied",
            FaultKind::NotFound => "not-found",
            FaultKind::Conflict => "conflict",
            FaultKind::Rejected => "rejected",
            FaultKind::Unsupported => "unsupported",
            FaultKind::InDoubt => "in-doubt",
            FaultKind::Cancelled => "cancelled",
            FaultKind::Other(word) => word,
        }
    }
}

impl Fault {
    pub(crate) fn unknown_function(function: &crate::Function) -> Self {
        Fault::other(
            "gate.unknown-function",
            "wreimage",
            format!(
                "the provider of `{}` does not know {function}",
                function.capability
            ),
        )
    }
}
