//! The lock that a run of this process holds on its host.

use crate::exit::Failure;
use crate::look;
use crate::tell;
use std::path::Path;
use std::sync::Arc;
use wreimage_engine::Fence;
use wreimage_journal::{Holder, LockError, Locks, Pulse, RENEWAL};

/// A lock that this process holds and renews.
pub struct HostLock {
    locks: Arc<Locks>,
    name: String,
    fence: u64,
    renewal: tokio::task::JoinHandle<()>,
}

impl HostLock {
    /// Takes the lock of a host.
    ///
    /// # Errors
    /// When another run holds it.
    pub fn take(state: &Path, name: &str, holder: &Holder) -> Result<Self, Failure> {
        let locks = Locks::open(state).map_err(|error| Failure::usage(error.to_string()))?;
        let mut taken = locks.take(name, holder);
        if let Err(LockError::Taken(held)) = &taken
            && held.pulse == Pulse::Dead
            && look::is_over(state, &held.run)
        {
            // Its process went away between its last record and the lock, or before the first.
            let given = locks.release(name, held.fence);
            given.map_err(|error| Failure::usage(error.to_string()))?;
            taken = locks.take(name, holder);
        }
        let fence = taken.map_err(|error| match error {
            LockError::Taken(held) => {
                let standing = look::state_of_run(state, &held.run).unwrap_or_default();
                let told = LockError::Taken(held).to_string();
                Failure::refused(if standing.is_empty() {
                    told
                } else {
                    format!("{told}. Where that run stands: {standing}")
                })
            }
            LockError::Store(error) => Failure::usage(error.to_string()),
        })?;
        let locks = Arc::new(locks);
        let (renewing, lock) = (locks.clone(), name.to_owned());
        let renewal = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEWAL).await;
                // One that fails is made up for by the next; the fence tells when the lock is lost.
                let _ = renewing.renew(&lock, fence);
            }
        });
        Ok(HostLock {
            locks,
            name: name.to_owned(),
            fence,
            renewal,
        })
    }

    /// What the run asks before each change.
    pub fn fence(&self) -> Fence {
        let (locks, name, fence) = (self.locks.clone(), self.name.clone(), self.fence);
        Arc::new(move || match locks.holds(&name, fence) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!(
                "the lock {name} was taken away from this run: nothing more is changed by it"
            )),
            Err(error) => Err(format!(
                "whether this run still holds the lock {name} is not known: {error}"
            )),
        })
    }

    /// Gives it back: the run has ended for good.
    pub fn release(self) {
        if let Err(error) = self.locks.release(&self.name, self.fence) {
            tell::line(&format!(
                "warning: the lock {} could not be given back: {error}; it ends with `wreimage lock break {}`",
                self.name, self.name
            ));
        }
    }
}

impl Drop for HostLock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
