//! What a run has on the systems around its machine and that expires there is renewed while the run lives.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wreimage_capability::{BoxFuture, Fault, FaultKind};

/// Renews what runs for one host have published and what expires by itself.
pub trait Renewal: Send + Sync {
    /// How often to renew: some renewals may fail before anything expires.
    fn interval(&self) -> Duration;

    /// Renews what that run has published. When it expires now, in RFC 3339; `None` when the run has published nothing.
    ///
    /// # Errors
    /// `conflict` when what the run has published is no longer its own.
    fn renew<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<Option<String>, Fault>>;
}

/// Renews what runs for one host have published and what expires by itself: the DHCP entry. What a run has lost is known on
/// the server, so it may serve a run that another process began.
pub struct Keeper {
    renewal: Box<dyn Renewal>,
    lost: Mutex<Option<String>>,
}

impl Keeper {
    pub(crate) fn new(renewal: Box<dyn Renewal>) -> Self {
        Keeper {
            renewal,
            lost: Mutex::default(),
        }
    }

    /// How often to renew: some renewals may fail before anything expires.
    pub fn interval(&self) -> Duration {
        self.renewal.interval()
    }

    /// Why the run must not change anything more: the last renewal found that its entry is another run's, or has been
    /// changed or taken out. `None` otherwise.
    pub fn lost(&self) -> Option<String> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone()
    }

    /// Renews once. When the entry expires now, in RFC 3339; `None` when this run has none.
    ///
    /// # Errors
    /// `conflict` when the run had an entry that is no longer its own; see [`Keeper::lost`]. Another kind when the install
    /// server cannot be asked or refuses; the entry expires unless a later renewal succeeds.
    pub async fn renew(&self, run: &str) -> Result<Option<String>, Fault> {
        let renewed = self.renewal.renew(run).await;
        let lost = match &renewed {
            Ok(_) => Some(None),
            Err(fault) if fault.kind == FaultKind::Conflict => Some(Some(fault.message.clone())),
            Err(_) => None,
        };
        if let Some(lost) = lost {
            *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = lost;
        }
        renewed
    }

    /// Renews at each interval until it is dropped; `tell` gets what went wrong.
    pub async fn keep(&self, run: &str, tell: impl Fn(&str)) -> Infallible {
        loop {
            tokio::time::sleep(self.interval()).await;
            if let Err(fault) = self.renew(run).await {
                tell(&fault.message);
            }
        }
    }
}
