//! What a function means to the engine, whatever its name.
//!
//! The engine knows no capability: it recognises a call, and finds the function that it needs, by the roles in the effect
//! tables. A role that concerns arguments or an answer brings the function that reads them from plain values.

use crate::{Function, HostSnapshot, SwitchPort};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::IpAddr;

/// Reads an answer; `None` when it is no answer of the function.
pub type Read<T> = fn(&Value) -> Option<T>;

/// The identity at which the host's system is reached: by the installer's key or by the site's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// The identity of the installer and of a freshly installed system.
    Installer,
    /// The identity of a system in production.
    Production,
}

/// Where a function acts inside the host's system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// At this identity.
    At(Login),
    /// At the identity at which the machine came up last.
    Latest,
}

/// What a function acts on, where that matters to the engine.
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    /// The machine's controller: its power and its boot device. A boot override that is another run's must not be changed.
    Controller,
    /// The system that runs on the machine. The function reads from the arguments where it is entered; `None` when it is
    /// not entered.
    System(fn(&Function, &Value) -> Option<Entry>),
    /// What the machine boots from the network.
    NetworkBoot,
    /// The task that the run was started for.
    Task,
    /// Anything else.
    Other,
}

/// What a function means to the engine.
#[derive(Debug, Clone, Copy)]
pub enum Role {
    /// Switches the power of the machine or restarts it. The function reads from the arguments whether the machine restarts.
    Power(fn(&Value) -> bool),
    /// Sets a boot override. The function reads from the arguments whether the machine boots from elsewhere than its disk.
    SetsOverride(fn(&Value) -> bool),
    /// Clears the boot override, and reports the one that there is afterwards.
    ClearsOverride(Read<BootOverride>),
    /// Reports the boot override.
    ReportsOverride(Read<BootOverride>),
    /// While what it makes is there, the machine boots an installer.
    OffersInstaller,
    /// Waits for another boot of the machine.
    AwaitsBoot(Read<Boot>),
    /// Reports the inventory's record of the host.
    Inventory(Read<HostSnapshot>),
    /// Reports the switch port of the host.
    SwitchPort(Read<SwitchPort>),
    /// Sets the status of the host in the inventory. The function reads the status from the arguments, as a word.
    SetsStatus(Read<String>),
    /// Reports which machine the controller belongs to.
    ControllerIdentity(Read<ControllerIdentity>),
    /// Reports which machine the system runs on.
    SystemIdentity(AtLogin<MachineIdentity>),
    /// Reports the operating system, in a few words.
    OperatingSystem(AtLogin<String>),
    /// Reports the services in which the host serves users.
    Services(Read<Vec<String>>),
    /// Sets whether the host serves users. The function reads from the arguments whether it shall.
    SetsServices(Read<bool>),
    /// Reports when the host's certificate, which is still valid, was signed. Milliseconds since the epoch.
    CertificateSigned(Read<Option<u64>>),
    /// Reports the host keys that the holder of the host's certificate has reported.
    HostKeys(Read<Vec<HostKey>>),
    /// What it makes can be read back.
    ReadBack(&'static ReadBack),
    /// The remote system knows by which run the thing was made, and leaves another run's alone.
    NamesItsRun,
}

/// A function that is called at an identity.
#[derive(Debug)]
pub struct AtLogin<T: 'static> {
    /// The arguments that name the identity.
    pub arguments: fn(Login) -> Value,
    /// Reads the answer.
    pub read: Read<T>,
}

impl<T> Clone for AtLogin<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for AtLogin<T> {}

/// How what a function has made is read back.
#[derive(Debug)]
pub struct ReadBack {
    /// Function of the same capability that reads it.
    pub function: &'static str,
    /// Its arguments.
    pub arguments: fn() -> Value,
    /// Compares what was made with what is read.
    pub compare: fn(made: &Value, read: &Value) -> Found,
    /// A restart uses it up: after one it is not missing.
    pub is_used_up_by_restart: bool,
    /// It is gone with the old system.
    pub is_wiped: bool,
    /// When it is found after it was undone, it has to be undone once more.
    pub reopens: bool,
}

/// What a read finds of something that a run has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    There,
    /// It is gone.
    Gone,
    /// Another run's, or a person's, stands in its place; the text names it.
    Replaced(String),
    /// The answers cannot be compared.
    Unknown,
}

/// A boot override as the machine's controller reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootOverride {
    /// Whether one is set.
    pub is_set: bool,
    /// In the words of the controller, for people.
    pub description: String,
}

/// A boot of the machine that a wait has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Boot ID.
    pub id: String,
    /// The identity at which it answers.
    pub at: Login,
    /// Its kernel command line.
    pub kernel_command_line: String,
    /// SHA-256 fingerprint of its host key, where the provider reports one.
    pub host_key: Option<String>,
}

/// Which machine it is, as one of its parts or the inventory reports it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineIdentity {
    /// Serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// UUID of the machine; of a BMC, its GUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
}

/// Which machine a controller belongs to, and where it was reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControllerIdentity {
    /// The machine.
    pub machine: MachineIdentity,
    /// Manufacturer and model of the controller, as far as it reports them.
    pub models: Vec<String>,
    /// The addresses to which its name resolved.
    pub addresses: Vec<IpAddr>,
}

/// A host key of the host, and when it was reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// SHA-256 fingerprint (`SHA256:…`).
    pub fingerprint: String,
    /// When. Milliseconds since the epoch.
    pub reported_ms: u64,
}

impl Role {
    /// [`Role::ReportsOverride`].
    pub fn reports_override(&self) -> Option<Read<BootOverride>> {
        match self {
            Role::ReportsOverride(read) => Some(*read),
            _ => None,
        }
    }

    /// [`Role::AwaitsBoot`].
    pub fn awaits_boot(&self) -> Option<Read<Boot>> {
        match self {
            Role::AwaitsBoot(read) => Some(*read),
            _ => None,
        }
    }

    /// [`Role::Inventory`].
    pub fn inventory(&self) -> Option<Read<HostSnapshot>> {
        match self {
            Role::Inventory(read) => Some(*read),
            _ => None,
        }
    }

    /// [`Role::SwitchPort`].
    pub fn switch_port(&self) -> Option<Read<SwitchPort>> {
        match self {
            Role::SwitchPort(read) => Some(*read),
            _ => None,
        }
    }

    /// [`Role::ControllerIdentity`].
    pub fn controller_identity(&self) -> Option<Read<ControllerIdentity>> {
        match self {
            Role::ControllerIdentity(read) => Some(*read),
            _ => None,
        }
    }

    /// [`Role::SystemIdentity`].
    pub fn system_identity(&self) -> Option<AtLogin<MachineIdentity>> {
        match self {
            Role::SystemIdentity(at) => Some(*at),
            _ => None,
        }
    }

    /// [`Role::OperatingSystem`].
    pub fn operating_system(&self) -> Option<AtLogin<String>> {
        match self {
            Role::OperatingSystem(at) => Some(*at),
            _ => None,
        }
    }

    /// [`Role::Services`].
    pub fn services(&self) -> Option<Read<Vec<String>>> {
        match self {
            Role::Services(read) => Some(*read),
            _ => None,
        }
    }

    /// [`Role::CertificateSigned`].
    pub fn certificate_signed(&self) -> Option<Read<Option<u64>>> {
        match self {
            Role::CertificateSigned(read) => Some(*read),
            _ => None,
        }
    }

    /// [`Role::HostKeys`].
    pub fn host_keys(&self) -> Option<Read<Vec<HostKey>>> {
        match self {
            Role::HostKeys(read) => Some(*read),
            _ => None,
        }
    }
}

impl Function {
    /// What the first of its roles is read as by `pick`.
    pub fn role<T>(&self, pick: impl Fn(&Role) -> Option<T>) -> Option<T> {
        self.roles.iter().find_map(pick)
    }

    /// Whether it may switch the power of the machine or restart it.
    pub fn changes_power(&self) -> bool {
        self.role(|role| matches!(role, Role::Power(_)).then_some(()))
            .is_some()
    }

    /// Whether the machine restarts by a call with these arguments.
    pub fn restarts(&self, arguments: &Value) -> bool {
        self.role(|role| match role {
            Role::Power(restarts) => Some(restarts(arguments)),
            _ => None,
        })
        .unwrap_or(false)
    }

    /// Whether it sets a boot override.
    pub fn sets_override(&self) -> bool {
        self.role(|role| matches!(role, Role::SetsOverride(_)).then_some(()))
            .is_some()
    }

    /// Whether by a call with these arguments the machine boots from elsewhere than its own disk.
    pub fn boots_elsewhere(&self, arguments: &Value) -> bool {
        self.role(|role| match role {
            Role::SetsOverride(elsewhere) => Some(elsewhere(arguments)),
            _ => None,
        })
        .unwrap_or(false)
    }

    /// Whether the machine boots an installer while what it makes is there.
    pub fn offers_installer(&self) -> bool {
        self.role(|role| matches!(role, Role::OffersInstaller).then_some(()))
            .is_some()
    }

    /// The boot override that its answer reports: it has read or cleared it.
    pub fn boot_override(&self, answer: &Value) -> Option<BootOverride> {
        self.role(|role| match role {
            Role::ReportsOverride(read) | Role::ClearsOverride(read) => Some(*read),
            _ => None,
        })
        .and_then(|read| read(answer))
    }

    /// The status in the inventory that a call with these arguments sets.
    pub fn status_set(&self, arguments: &Value) -> Option<String> {
        self.role(|role| match role {
            Role::SetsStatus(read) => Some(*read),
            _ => None,
        })
        .and_then(|read| read(arguments))
    }

    /// Whether a call with these arguments puts the host into its services or takes it out; `None` when it does neither.
    pub fn serving_set(&self, arguments: &Value) -> Option<bool> {
        self.role(|role| match role {
            Role::SetsServices(read) => Some(*read),
            _ => None,
        })
        .and_then(|read| read(arguments))
    }

    /// How what it makes is read back.
    pub fn read_back(&self) -> Option<&'static ReadBack> {
        self.role(|role| match role {
            Role::ReadBack(read_back) => Some(*read_back),
            _ => None,
        })
    }

    /// Whether the remote system knows the thing by its run.
    pub fn names_its_run(&self) -> bool {
        self.role(|role| matches!(role, Role::NamesItsRun).then_some(()))
            .is_some()
    }
}
