//! The runs that are driven in this process: they are cancelled and stopped together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use wreimage_engine::Cancel;

/// A run that is driven in this process.
#[derive(Clone)]
pub struct ActiveRun {
    /// Its id.
    pub run: String,
    /// Cancels or stops it.
    pub cancel: Cancel,
    /// Whether anything was changed.
    pub touched: Arc<AtomicBool>,
    /// Whether another process can continue it.
    pub resumable: bool,
}

/// The runs of this process.
#[derive(Default)]
pub struct ActiveRuns {
    runs: Mutex<Vec<ActiveRun>>,
    cancelled: AtomicBool,
    /// Why all of them are to stop where they stand.
    stopping: OnceLock<&'static str>,
}

impl ActiveRuns {
    fn runs(&self) -> MutexGuard<'_, Vec<ActiveRun>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, as they are now.
    pub fn all(&self) -> Vec<ActiveRun> {
        self.runs().clone()
    }

    /// A run begins; one that begins after a cancel or a stop is cancelled or stopped at once.
    pub(crate) fn add(&self, run: ActiveRun) {
        let mut runs = self.runs();
        if self.is_cancelled() {
            run.cancel.cancel();
        }
        if let Some(why) = self.stopping.get() {
            run.cancel.stop(why);
        }
        runs.push(run);
    }

    /// A run has ended, or waits for another process.
    pub(crate) fn remove(&self, run: &str) {
        self.runs().retain(|active| active.run != run);
    }

    /// Whether all of them are to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Whether no further run is to begin: all are cancelled, or stop.
    pub fn is_ending(&self) -> bool {
        self.is_cancelled() || self.stopping.get().is_some()
    }

    /// All of them are to end, in order.
    pub fn cancel(&self) {
        let runs = self.runs();
        self.cancelled.store(true, Ordering::SeqCst);
        for run in runs.iter() {
            run.cancel.cancel();
        }
    }

    /// All of them pause where they stand, with a last record each.
    pub fn stop(&self, why: &'static str) {
        let runs = self.runs();
        let _first = self.stopping.set(why);
        for run in runs.iter() {
            run.cancel.stop(why);
        }
    }

    /// Whether there are runs, and another process can continue each of them.
    pub fn are_resumable(&self) -> bool {
        let runs = self.runs();
        !runs.is_empty() && runs.iter().all(|run| run.resumable)
    }
}
