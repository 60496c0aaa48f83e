//! Stopping a run from outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// Two ways to stop a run from outside. After a cancel every call of the guest answers `cancelled`, and the run comes to its
/// end in order. After a stop it pauses where it stands. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    notify: Notify,
    stopped: OnceLock<String>,
    stopping: Notify,
}

impl Cancel {
    /// Not cancelled yet.
    pub fn new() -> Self {
        Cancel::default()
    }

    /// Cancels.
    pub fn cancel(&self) {
        self.inner.cancelled.store(true, Ordering::SeqCst);
        self.inner.notify.notify_waiters();
    }

    /// Whether it has been cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.inner.cancelled.load(Ordering::SeqCst)
    }

    /// As if it had never been cancelled: for the closing of a cancelled run.
    pub(crate) fn clear(&self) {
        self.inner.cancelled.store(false, Ordering::SeqCst);
    }

    /// Pauses the run where it stands: nothing is taken back, and a call that is under way is dropped. For this reason, in
    /// words for people; the first one stays. Only for a run that can be gone on with.
    pub fn stop(&self, why: &str) {
        let _first = self.inner.stopped.set(why.to_owned());
        self.inner.stopping.notify_waiters();
    }

    /// Ends when it is stopped, with the reason.
    pub(crate) async fn stopped(&self) -> String {
        let notified = self.inner.stopping.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if self.inner.stopped.get().is_none() {
            notified.await;
        }
        self.inner.stopped.get().cloned().unwrap_or_default()
    }

    /// Ends when it is cancelled.
    pub async fn cancelled(&self) {
        let notified = self.inner.notify.notified();
        tokio::pin!(notified);
        // Registered before the flag is read, so that a cancel in between is not missed.
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}
