//! Time inside the model, and how long things take.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Milliseconds since the epoch, or a span of them. The model saturates where the calendar ends.
pub type Millis = u64;

/// The first whole millisecond at or after `time`: a sleeper never wakes early.
pub(crate) fn ceil_millis(time: Timestamp) -> Millis {
    let nanos = time.as_nanosecond();
    let millis = nanos.div_euclid(1_000_000) + i128::from(nanos.rem_euclid(1_000_000) != 0);
    u64::try_from(millis).unwrap_or(0)
}

/// How long things take. A world file sets them in `[times]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Power-on self test.
    pub post: Millis,
    /// From the DHCP answer until the installer's kernel starts.
    pub network_load: Millis,
    /// How long the firmware asks in vain before it goes on to the disk.
    pub pxe_timeout: Millis,
    /// From the installer's kernel until it answers SSH.
    pub installer_boot: Millis,
    /// From there until it restarts the machine.
    pub installation: Millis,
    /// From the kernel until the system answers SSH.
    pub os_boot: Millis,
    /// From the order to restart until the firmware takes over.
    pub shutdown: Millis,
    /// How long the install server serves an entry that nobody withdraws.
    pub entry_expiry: Millis,
}

impl Default for Times {
    fn default() -> Self {
        const SECOND: Millis = 1000;
        const MINUTE: Millis = 60 * SECOND;
        Times {
            post: 90 * SECOND,
            network_load: 30 * SECOND,
            pxe_timeout: 60 * SECOND,
            installer_boot: 40 * SECOND,
            installation: 12 * MINUTE,
            os_boot: 45 * SECOND,
            shutdown: 8 * SECOND,
            entry_expiry: 24 * 60 * MINUTE,
        }
    }
}
