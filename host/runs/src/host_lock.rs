//! The lock that a run of this process holds on its host.

use crate::error::RunsError;
use crate::frontend::Frontend;
use crate::store::RunStore;
use std::sync::Arc;
use wreimage_engine::Fence;
use wreimage_journal::{Holder, LockError, Locks, LogError, Pulse, RENEWAL};

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
    pub fn take(store: &RunStore, name: &str, holder: &Holder) -> Result<Self, RunsError> {
        let locks = Locks::open(store.state())?;
        let mut taken = locks.take(name, holder);
        if let Err(LockError::Taken(held)) = &taken
            && held.pulse == Pulse::Dead
            && store.is_over(&held.run)
        {
            // Its process went away between its last record and the lock, or before the first.
            locks.release(name, held.fence)?;
            taken = locks.take(name, holder);
        }
        let fence = taken.map_err(|error| match error {
            LockError::Taken(held) => RunsError::Locked {
                state: store.standing(&held.run).map(|it| it.line()),
                held,
            },
            LockError::Store(error) => RunsError::Store(error),
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

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives it back: the run has ended for good.
    ///
    /// # Errors
    /// When it is still held.
    pub fn release(self) -> Result<(), LogError> {
        self.locks.release(&self.name, self.fence)
    }
}

/// Gives a lock back; one that stays is named to the operator.
pub(crate) fn release(lock: HostLock, frontend: &dyn Frontend) {
    let name = lock.name().to_owned();
    if let Err(error) = lock.release() {
        frontend.line(&format!(
            "warning: the lock {name} could not be given back: {error}; it ends with `wreimage lock break {name}`"
        ));
    }
}

impl Drop for HostLock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
