//! Locks of the rig.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic of another holder: the rig's state is changed in
/// single steps, and cleaning up after a panic is when it is needed most.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
