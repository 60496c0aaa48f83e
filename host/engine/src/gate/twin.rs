//! The world in which a rehearsal goes on.

use serde_json::Value;
use std::sync::Arc;
use wreimage_capability::{Clock, Function, Providers};

/// A call that was answered before the rehearsal reached its first mutation.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The function.
    pub function: &'static Function,
    /// Its arguments.
    pub arguments: Value,
    /// What it answered.
    pub outcome: Value,
}

/// A simulated copy of one host and its systems.
pub struct Twin {
    /// Its providers, bound to the host.
    pub providers: Providers,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
}

/// Makes a twin from what was read.
pub trait TwinMaker: Send + Sync {
    /// A twin of `host`, at the present of `clock`.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn make(&self, host: &str, seen: &[Seen], clock: &dyn Clock) -> Result<Twin, String>;
}
