//! How long waits may take and how often they look, as a site sets it.

use std::collections::BTreeMap;
use std::time::Duration;
use wreimage_capability::{Function, Patience};

/// What a site says of a wait; what it does not say is the guest's choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitSetting {
    /// Between two looks.
    pub interval: Option<Duration>,
    /// Until it gives up.
    pub deadline: Option<Duration>,
}

/// Settings by function, such as `remote.wait-for-boot`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waits {
    /// For functions without a setting of their own.
    pub default: WaitSetting,
    /// By full name.
    pub functions: BTreeMap<String, WaitSetting>,
}

impl Waits {
    /// The patience for a function: the site's word, else the guest's.
    pub fn patience(&self, function: &Function, asked: &Patience) -> Patience {
        let own = self
            .functions
            .get(&function.to_string())
            .copied()
            .unwrap_or_default();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Patience {
            deadline_ms: own
                .deadline
                .or(self.default.deadline)
                .map_or(asked.deadline_ms, millis),
            interval_ms: own
                .interval
                .or(self.default.interval)
                .map_or(asked.interval_ms, millis)
                // A guest that asks for no pause at all would keep a real system busy.
                .max(10),
        }
    }
}
