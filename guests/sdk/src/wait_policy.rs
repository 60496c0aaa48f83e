//! How long a wait may take and how often it looks.

use crate::WaitPolicy;
use std::time::Duration;

impl WaitPolicy {
    /// Looks every `interval` until `deadline` has passed, and then once more.
    pub const fn new(deadline: Duration, interval: Duration) -> Self {
        WaitPolicy {
            deadline_ms: millis(deadline),
            interval_ms: millis(interval),
        }
    }

    /// The deadline as a duration.
    pub const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

/// Whole milliseconds; what does not fit (after 500 million years) is cut.
pub(crate) const fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
