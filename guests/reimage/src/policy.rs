//! How often something is tried, how long it may take and how long it usually takes. Every wait looks at a constant
//! interval until its deadline, never at growing ones; then the operator is asked.

use std::time::Duration;
use wreimage_sdk::{Patience, Tries};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn minutes(minutes: u64) -> Duration {
    seconds(minutes * 60)
}

/// From the power command until something answers. The runbook's tools look 240 times every 10 s; 20 minutes were too
/// little for machines with much memory to test.
pub const RESTARTED: Patience = Patience::new(minutes(40), seconds(10));

/// From the installer's first answer until the new OS answers: the same budget. Large disks need most of it.
pub const INSTALLED: Patience = Patience::new(minutes(40), seconds(10));

/// How long the installer usually takes to come up after the power command.
pub const RESTART_USUALLY: Duration = minutes(5);

/// How long the installation and the boot of the new OS usually take.
pub const INSTALLATION_USUALLY: Duration = minutes(15);

/// Forcing the network boot: the runbook's tools verify three times, 20 s apart.
pub const FORCE_NETWORK_BOOT: Tries = Tries {
    tries: 3,
    pause: seconds(20),
};

/// Clearing the boot override. The runbook's tools try once; a BMC that needs three tries to take an override may need as
/// many to give it up.
pub const CLEAR_BOOT_OVERRIDE: Tries = Tries {
    tries: 3,
    pause: seconds(20),
};

/// A power command that was lost on its way: the host has made sure that it did not happen.
pub const POWER: Tries = Tries {
    tries: 3,
    pause: seconds(5),
};

/// Reading a fact from a system that answered a moment ago. It may have just begun to accept connections.
pub const READ_FROM_NEW_SYSTEM: Tries = Tries {
    tries: 3,
    pause: seconds(10),
};
