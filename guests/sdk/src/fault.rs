//! Faults: created, printed, and extended.

use crate::{Fault, FaultKind};
use std::fmt;

impl Fault {
    /// A fault that a retry cannot help.
    ///
    /// `code` is a stable word for programs, `system` who spoke, `message` what a tired person reads: what happened, to
    /// what, and what to do.
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

    /// The same fault with a sentence before its message: what was being done.
    #[must_use]
    pub fn before(mut self, sentence: &str) -> Self {
        self.message = format!("{sentence} {}", self.message);
        self
    }

    /// The same fault with a sentence after its message: what is left, what to do.
    #[must_use]
    pub fn and(mut self, sentence: &str) -> Self {
        let dot = if self.message.ends_with(['.', '!', '?']) {
            ""
        } else {
            "."
        };
        self.message = format!("{}{dot} {sentence}", self.message);
        self
    }

    /// Whether it is of that kind.
    pub fn is(&self, kind: FaultKind) -> bool {
        self.kind == kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.system.is_empty() {
            write!(f, "{} ({})", self.message, self.code)
        } else {
            write!(f, "{}: {} ({})", self.system, self.message, self.code)
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_a_sentence() {
        let fault = Fault::new(
            FaultKind::Timeout,
            "bmc.timeout",
            "BMC host1001",
            "no answer",
        );
        assert_eq!(fault.to_string(), "BMC host1001: no answer (bmc.timeout)");
        assert_eq!(
            fault
                .before("Power cycle:")
                .and("Nothing was done.")
                .message,
            "Power cycle: no answer. Nothing was done."
        );
    }
}
