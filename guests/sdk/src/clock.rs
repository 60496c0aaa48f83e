//! Time. The only clock that a guest has; in the lab it is virtual.

use crate::Fault;
use crate::bindings::wreimage::clock::clock;
use crate::wait_policy::millis;
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// # Errors
/// None but `cancelled`.
pub fn now_ms() -> Result<u64, Fault> {
    clock::now()
}

/// Sleeps.
///
/// # Errors
/// None but `cancelled`.
pub fn sleep(duration: Duration) -> Result<(), Fault> {
    clock::sleep(millis(duration))
}
