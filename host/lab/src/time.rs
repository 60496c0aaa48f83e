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
    /// From the end of a boot until the agent's first own run.
    pub agent_after_boot: Millis,
    /// An ordinary run of an agent, a noop run included.
    pub agent_run: Millis,
    /// Between the begins of two own runs of the agent.
    pub agent_period: Millis,
    /// The first run on a fresh system.
    pub first_agent_run: Millis,
    /// From the agent's new key until its request is at the certificate authority.
    pub certificate_request: Millis,
    /// From the end of the run that compiled the catalogue until PuppetDB has the exported resource.
    pub exported_resource: Millis,
    /// How long monitoring needs by itself until it has checked a host that is well.
    pub checks: Millis,
    /// How long it needs when it was asked to check now.
    pub recheck: Millis,
    /// Between two reports of a host to Debmonitor.
    pub debmonitor_period: Millis,
    /// A custom script of NetBox.
    pub netbox_script: Millis,
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
            agent_after_boot: 3 * MINUTE,
            agent_run: MINUTE,
            agent_period: 30 * MINUTE,
            first_agent_run: 40 * MINUTE,
            certificate_request: 5 * SECOND,
            exported_resource: 30 * SECOND,
            checks: 90 * SECOND,
            recheck: 10 * SECOND,
            debmonitor_period: 60 * MINUTE,
            netbox_script: 10 * SECOND,
        }
    }
}
