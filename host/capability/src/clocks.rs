//! Time as the gate sees it: real, or the lab's.

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A source of time.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
    /// Ends when the present is `time` or later.
    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()>;
    /// Whether time passes by itself. A virtual clock only moves while somebody sleeps.
    fn is_virtual(&self) -> bool {
        false
    }
}

/// The clock of the machine that the host runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, time: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let left = time.duration_since(Timestamp::now());
            if left > SignedDuration::ZERO {
                tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
            }
        })
    }
}

/// Milliseconds since the epoch; 0 for a time before it.
pub fn to_millis(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or(0)
}

/// The time that many milliseconds after the epoch; the last one that can be represented where that overflows.
pub fn from_millis(millis: u64) -> Timestamp {
    i64::try_from(millis)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}
