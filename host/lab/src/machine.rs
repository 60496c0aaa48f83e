//! One machine: what it is, what it is plugged into, and what it does at the moment.

use crate::bmc::Bmc;
use crate::service::agent::Agent;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use wreimage_capability::dhcp::BootMethod;
use wreimage_capability::netbox::{Device, SwitchPort};
use wreimage_capability::remote::CommandResult;

/// How the machine really starts. The inventory may say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Starts {
    /// Legacy BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

/// The machine itself, whatever the inventory says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hardware {
    /// Serial number in its DMI tables.
    pub serial: Option<String>,
    /// SMBIOS UUID.
    pub uuid: Option<String>,
    /// MAC address of the primary interface.
    pub mac: Option<String>,
    /// How it starts.
    pub firmware: Starts,
    /// The circuit-id (option 82) that the switch inserts at the port where it is really plugged in.
    pub circuit_id: Option<String>,
}

/// What is not as it should be, as its system tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// A disk of its RAID has failed.
    pub raid_degraded: bool,
    /// Units that fail in whatever system runs.
    pub failed_units: BTreeSet<String>,
}

/// What the inventory says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// The NetBox device.
    pub device: Device,
    /// Where the inventory says that it is plugged in.
    pub switch_port: Option<SwitchPort>,
}

/// The addresses that the resolver has for its two names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Addresses {
    /// Of the host's own name.
    pub host: Vec<String>,
    /// Of its management name.
    pub management: Vec<String>,
}

/// Whose SSH key a system lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accepts {
    /// The installer's key: an installer, and a fresh system until it is enrolled.
    Installer,
    /// The site's key: an enrolled system.
    Production,
}

/// An operating system on the disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct System {
    /// Code name of the release.
    pub release: String,
    /// Which installation of this machine put it there; 0 is the one that the world began with.
    pub installation: u64,
    /// Whose key it lets in.
    pub accepts: Accepts,
    /// Fingerprint of its SSH host key.
    pub host_key: String,
    /// Units that were masked.
    pub masked: BTreeSet<String>,
    /// UEFI only: whether the firmware still has the boot entry that GRUB wrote.
    pub boot_entry: bool,
    /// Its Puppet agent.
    pub agent: Agent,
}

/// What a network boot loads: the boot path of the DHCP entry that was served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Code name of the release.
    pub distribution: String,
    /// Boot media, such as `installer`.
    pub media: String,
    /// How the boot files come.
    pub boot: BootMethod,
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.distribution, self.media)
    }
}

/// What a machine does at the moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Powered off.
    Off,
    /// Power-on self test.
    Post,
    /// Booting from the network: loading what DHCP named, or waiting in vain.
    NetworkBoot {
        /// What is being loaded; `None` until the firmware gives up.
        load: Option<Load>,
    },
    /// The installer's kernel starts.
    InstallerBooting {
        /// What it was loaded from.
        load: Load,
    },
    /// The installer answers SSH and installs.
    Installer {
        /// What it was loaded from.
        load: Load,
    },
    /// The installed system starts.
    OsBooting,
    /// The installed system is up.
    OsUp,
    /// The running system, installer included, goes down for a restart.
    Stopping,
    /// On, but with nothing to run.
    NothingBootable,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Off => f.write_str("powered off"),
            Stage::Post => f.write_str("in POST"),
            Stage::NetworkBoot { load: Some(load) } => {
                write!(f, "loading {load} from the network")
            }
            Stage::NetworkBoot { load: None } => {
                f.write_str("booting from the network, nothing served")
            }
            Stage::InstallerBooting { .. } => f.write_str("the installer is starting"),
            Stage::Installer { .. } => f.write_str("the installer is up"),
            Stage::OsBooting => f.write_str("the system is starting"),
            Stage::OsUp => f.write_str("the system is up"),
            Stage::Stopping => f.write_str("going down"),
            Stage::NothingBootable => f.write_str("nothing bootable"),
        }
    }
}

/// A kernel that was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelBoot {
    /// Boot id, another one each time.
    pub id: String,
    /// When the kernel started.
    pub started: Millis,
    /// Its command line.
    pub command_line: String,
    /// Host key that its SSH server shows.
    pub host_key: String,
    /// Whether a real machine has told the boot id; otherwise it is the lab's own.
    pub told: bool,
    /// Results of the commands that ran in it, by the key of their call: what a repeated or lost call is compared with.
    pub commands: BTreeMap<String, CommandResult>,
}

/// Why a machine started last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartCause {
    /// Chassis control: the BMC was told.
    ChassisControl,
    /// The running system restarted it.
    Software,
}

/// The last restart, as the BMC keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// When.
    pub at: Millis,
    /// Why.
    pub cause: RestartCause,
}

/// How often things happened to a machine, for tests and reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Power cycles by the BMC.
    pub power_cycles: u64,
    /// Restarts by the running system.
    pub reboots: u64,
    /// Network boots tried.
    pub network_boots: u64,
    /// Installations begun: the disk is gone from here on.
    pub installations_begun: u64,
    /// Installations completed.
    pub installations: u64,
    /// Kernels started.
    pub boots: u64,
}

/// One machine of the data centre.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Short name.
    pub name: String,
    /// What the inventory says.
    pub inventory: Inventory,
    /// What the resolver says.
    pub addresses: Addresses,
    /// What it is.
    pub hardware: Hardware,
    /// Its BMC; a virtual machine has none.
    pub bmc: Option<Bmc>,
    /// The system on its disk, if any.
    pub disk: Option<System>,
    /// The host key that the site knows for it: what the production identity checks.
    pub known_host_key: Option<String>,
    /// What it does now.
    pub stage: Stage,
    /// Since when.
    pub since: Millis,
    /// When this stage ends by itself.
    pub until: Option<Millis>,
    /// The kernel that runs, or that is going down.
    pub boot: Option<KernelBoot>,
    /// Last restart.
    pub restarted: Option<Restart>,
    /// Raised with every change of stage: an event made for an older one is void.
    pub generation: u64,
    /// So many more times its system takes an order to restart and goes on.
    pub ignores_restarts: u32,
    /// What is not as it should be.
    #[serde(default)]
    pub condition: Condition,
    /// How often things happened.
    pub counters: Counters,
    /// The functions that real systems have answered for it. In a twin, the answers of others are mere assumptions.
    pub told: BTreeSet<String>,
}

impl Machine {
    /// Whether it has power.
    pub fn is_on(&self) -> bool {
        self.stage != Stage::Off
    }

    /// Fully qualified name.
    pub fn fqdn(&self) -> &str {
        &self.inventory.device.fqdn
    }

    /// Name of its management interface.
    pub fn management_fqdn(&self) -> Option<&str> {
        self.inventory.device.management_fqdn.as_deref()
    }

    /// Code name of the release on its disk.
    pub fn release(&self) -> Option<&str> {
        self.disk.as_ref().map(|system| system.release.as_str())
    }

    /// Boot id of the kernel that runs.
    pub fn boot_id(&self) -> Option<&str> {
        self.boot.as_ref().map(|boot| boot.id.as_str())
    }
}
