//! How a script gets to the install server, and what it printed there.

use crate::redact;
use std::time::Duration;
use wreimage_capability::{BoxFuture, Fault};

/// How much of an answer that cannot be read is quoted, and of a program's standard error.
pub(super) const QUOTED: usize = 600;

/// Which executions must not wait for which others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Reads, renewals, leases.
    Quick,
    /// What waits for the lock of the DHCP automation.
    Slow,
}

/// What a script printed, and how it ended.
pub(crate) struct Printed {
    pub(crate) ended: String,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    /// Whether a part of what it printed is missing.
    pub(crate) is_cut: bool,
}

/// Takes scripts to a shell. It knows nothing of what they do.
pub(crate) trait Transport: Send + Sync {
    /// Names the install server in messages.
    fn system(&self) -> String;

    /// Whether it is this machine.
    fn is_here(&self) -> bool {
        false
    }

    /// Sends a script to a shell; `watch` gets its standard output as it comes.
    ///
    /// # Errors
    /// When it did not end in time or no answer came; the code is `dhcp.not-sent` when it was not begun.
    fn send<'a>(
        &'a self,
        lane: Lane,
        script: String,
        timeout: Duration,
        watch: &'a mut (dyn FnMut(&[u8]) + Send),
    ) -> BoxFuture<'a, Result<Printed, Fault>>;
}

/// The end of what a program wrote, without secrets, for messages.
pub(super) fn end_of(text: &str) -> String {
    redact::tail(text.trim().as_bytes(), false, QUOTED)
}
