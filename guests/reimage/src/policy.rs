//! How often something is tried, how long it may take and how long it usually takes. Every wait looks at a constant
//! interval until its deadline, never at growing ones; then the operator is asked.

use std::time::Duration;
use wreimage_sdk::netbox::ScriptTimeout;
use wreimage_sdk::puppet::RunTimeout;
use wreimage_sdk::{Tries, WaitPolicy};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn minutes(minutes: u64) -> Duration {
    seconds(minutes * 60)
}

const fn hours(hours: u64) -> Duration {
    minutes(hours * 60)
}

/// Whole milliseconds, as the border counts them.
pub const fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

const fn agent(timeout: Duration) -> RunTimeout {
    RunTimeout {
        timeout_ms: millis(timeout),
    }
}

/// The downtime of the old system: the runbook's tools set four hours, in which most reimages end.
pub const OLD_DOWNTIME: Duration = hours(4);

/// The downtime of the new system, from before its first Puppet run: two hours in the runbook's tools. It never ends
/// earlier than that of the old system would have.
pub const NEW_DOWNTIME: Duration = hours(2);

/// For open connections to end after a depool: what the runbook's tools sleep.
pub const DRAINED: Duration = seconds(180);

/// Asking a service that everybody uses, before anything is touched.
pub const ASK_SERVICE: Tries = Tries {
    tries: 3,
    pause: seconds(5),
};

/// Looking for a downtime that was set: Icinga takes commands from a queue, and shows them some seconds later.
pub const DOWNTIME_SHOWS: Tries = Tries {
    tries: 6,
    pause: seconds(5),
};

/// How often the guest clears an override that was set after its last read and tries the reboot again. An override that keeps coming
/// back has a cause that a person must find.
pub const REFUSED_REBOOTS: u32 = 2;

/// Asking a BMC: many forget a packet now and then.
pub const ASK_BMC: Tries = Tries {
    tries: 3,
    pause: seconds(5),
};

/// Removing the host from a service, where its fault says that another try is worth it: as often as the runbook's HTTP
/// client does.
pub const REMOVE: Tries = Tries {
    tries: 4,
    pause: seconds(5),
};

/// From the power command until something answers. The runbook's tools look 240 times every 10 s; 20 minutes were too
/// little for machines with much memory to test.
pub const RESTARTED: WaitPolicy = WaitPolicy::new(minutes(40), seconds(10));

/// From the installer's first answer until the new OS answers: the same budget. Large disks need most of it.
pub const INSTALLED: WaitPolicy = WaitPolicy::new(minutes(40), seconds(10));

/// How long the installer usually takes to come up after the power command.
pub const RESTART_USUALLY: Duration = minutes(5);

/// How long the installation and the boot of the new OS usually take.
pub const INSTALLATION_USUALLY: Duration = minutes(15);

/// Withdrawing the DHCP entry, until it reads back as gone.
pub const WITHDRAW: Tries = Tries {
    tries: 3,
    pause: seconds(5),
};

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

/// How long a unit may take to be masked: it is a link in a folder.
pub const MASK_TIMEOUT_MS: u64 = millis(seconds(30));

/// From the agent's request until the CA shows it. The runbook's tools look ten times, at gaps that grow to 21 minutes;
/// a request that is not there at once has usually gone to another CA.
pub const REQUESTED: WaitPolicy = WaitPolicy::new(minutes(10), seconds(5));

/// A run that only compiles. The runbook's tools give it no limit, and hang with it.
pub const NOOP_TIMEOUT: RunTimeout = agent(minutes(30));

/// How long a run that only compiles usually takes.
pub const NOOP_USUALLY: Duration = minutes(2);

/// The exported resource by which Icinga gets to know a host.
pub const ICINGA_RESOURCE: &str = "Nagios_host";

/// From the noop run until PuppetDB shows the resource: an hour in the runbook's tools, for slow replicas.
pub const EXPORTED: WaitPolicy = WaitPolicy::new(minutes(60), seconds(10));

/// Puppet on the Icinga server, which may have to wait for another run of the agent: 600 s in the runbook's tools.
pub const MONITORING_TIMEOUT: RunTimeout = agent(seconds(600));

/// From Puppet's run on the Icinga server until Icinga knows the host. The runbook's tools look for 100 s; a large Icinga
/// takes longer to reload.
pub const MONITORED: WaitPolicy = WaitPolicy::new(minutes(5), seconds(10));

/// The first Puppet run: three hours in the runbook's tools.
pub const FIRST_RUN_TIMEOUT: RunTimeout = agent(hours(3));

/// How long the first Puppet run usually takes.
pub const FIRST_RUN_USUALLY: Duration = minutes(40);

/// Puppet on the machine where this runs: 300 s in the runbook's tools.
pub const CONTROLLER_TIMEOUT: RunTimeout = agent(seconds(300));

/// How long an ordinary reboot usually takes.
pub const REBOOT_USUALLY: Duration = minutes(4);

/// From the reboot until Puppet has run with success. It runs every 30 minutes: two runs, one of which may fail.
pub const PUPPET_RUN: WaitPolicy = WaitPolicy::new(minutes(65), seconds(30));

/// How long it usually takes until Puppet has run after a reboot.
pub const PUPPET_RUN_USUALLY: Duration = minutes(10);

/// The tests of the page: `/srv/deployment/httpbb-tests/appserver/*`.
pub const HTTPBB_SUITE: &str = "appserver";

/// Until all checks are green. The runbook's newest tools look for 15 minutes; checks are not all run at once.
pub const OPTIMAL: WaitPolicy = WaitPolicy::new(minutes(15), seconds(15));

/// How long it usually takes until all checks are green.
pub const OPTIMAL_USUALLY: Duration = minutes(3);

/// Where Icinga takes commands.
pub const ICINGA_COMMAND_FILE: &str = "/var/lib/icinga/rw/icinga.cmd";

/// The custom script of the inventory: by its name since it was moved, and by that of the page. A site names one of them.
pub const IMPORT_SCRIPTS: [&str; 2] = [
    "import_server_facts.ImportPuppetDB",
    "interface_automation.ImportPuppetDB",
];

/// How long the script's job may take: the runbook's tools had to raise it to 90 s, and a slow inventory takes longer.
pub const IMPORT_TIMEOUT: ScriptTimeout = ScriptTimeout {
    timeout_ms: millis(minutes(5)),
};

/// How many lines of the script's log are shown; the rest is at the job.
pub const IMPORT_LINES_SHOWN: usize = 40;

/// Bytes of the name of a person or of a machine in a reason: the whole then fits into the fields where other systems
/// keep reasons.
pub const NAME_LIMIT: usize = 48;

/// Bytes of a line in a comment.
pub const LINE_LIMIT: usize = 400;

/// Bytes of a comment: as much as a person reads.
pub const COMMENT_LIMIT: usize = 12_000;
