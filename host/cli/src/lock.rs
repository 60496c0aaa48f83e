//! The locks that runs hold on their hosts.

use crate::arguments::{BreakLock, Output, Runs};
use crate::exit::{Exit, Failure};
use crate::look;
use crate::surroundings::state_of;
use crate::tell::{self, Page};
use jiff::Timestamp;
use serde_json::json;
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

/// `wreimage lock ls`.
pub fn list(arguments: &Runs) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let locks = Locks::open(&state).map_err(|error| Failure::usage(error.to_string()))?;
    let held = locks
        .held()
        .map_err(|error| Failure::usage(error.to_string()))?;
    let mut text = Page::default();
    for lock in held {
        let standing = look::state_of_run(&state, &lock.run);
        let since = i64::try_from(lock.since_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or_default();
        match arguments.output {
            Output::Json => text.json(&json!({ "lock": lock, "run": standing })),
            Output::Text => text.line(format!(
                "{:<24} {:<42} {:<10} on {:<16} since {} {:<6} {}",
                lock.name,
                lock.run,
                lock.actor,
                lock.controller,
                since.strftime("%Y-%m-%d %H:%M:%S"),
                lock.pulse,
                standing.unwrap_or_default()
            )),
        }
    }
    if text.is_empty() && arguments.output == Output::Text {
        tell::line("no run holds a lock");
    }
    tell::page(&text)?;
    Ok(Exit::Success)
}

/// `wreimage lock break`.
pub fn break_lock(arguments: &BreakLock) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let locks = Locks::open(&state).map_err(|error| Failure::usage(error.to_string()))?;
    match locks.break_lock(&arguments.name) {
        Ok(Some(held)) => {
            tell::line(&format!(
                "{} is taken away from the run {} of {} on {}. That run begins nothing any more; a call that it has begun may \
                 still end, up to its own time-out",
                held.name, held.run, held.actor, held.controller
            ));
            Ok(Exit::Success)
        }
        Ok(None) => Err(Failure::usage(format!(
            "nobody holds a lock {:?}; `wreimage lock ls` lists those that are held",
            arguments.name
        ))),
        Err(error) => Err(Failure::usage(error.to_string())),
    }
}
