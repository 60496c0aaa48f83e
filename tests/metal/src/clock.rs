//! Wall-clock time and waiting with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
pub use jiff::Timestamp;

/// How often a wait looks again.
const INTERVAL: Duration = Duration::from_millis(20);

/// The time now.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Seconds from one time to a later one.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// Looks until there is an answer, at most for `limit`.
///
/// # Errors
///
/// The deadline has passed (the message names `what`), or looking failed.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() >= limit {
            bail!("{what}: not within {:.1} s", limit.as_secs_f64());
        }
        std::thread::sleep(INTERVAL);
    }
}
