//! A call of a run at which another run begins or continues.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;
use wreimage_capability::Function;

/// A run waits in this call, once, until it is released.
#[derive(Debug)]
pub(crate) struct Meeting {
    function: &'static Function,
    /// Which call of the function, counted from 1.
    nth: u64,
    is_over: AtomicBool,
    arrived: Notify,
    released: Notify,
}

impl Meeting {
    pub(crate) fn new(function: &'static Function, nth: u64) -> Self {
        Meeting {
            function,
            nth,
            is_over: AtomicBool::new(false),
            arrived: Notify::new(),
            released: Notify::new(),
        }
    }

    /// Waits, when this call is the place.
    pub(crate) async fn wait(&self, function: &'static Function, nth: u64) {
        let is_here = std::ptr::eq(function, self.function) && nth == self.nth;
        if is_here && !self.is_over.swap(true, Ordering::SeqCst) {
            self.arrived.notify_one();
            self.released.notified().await;
        }
    }

    /// Ends when the run has arrived.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// The run continues.
    pub(crate) fn release(&self) {
        self.released.notify_one();
    }
}
