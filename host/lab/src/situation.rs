//! How things stand around one host, in words and numbers that a scenario can name.

use crate::machine::{Accepts, Counters, Machine, Stage, Starts};
use crate::service::agent::Agent;
use crate::service::puppet_ca::Held;
use crate::world::World;
use serde::Serialize;
use std::collections::BTreeSet;
use wreimage_capability::conftool::PoolObject;
use wreimage_capability::ipmi::BootDevice;
use wreimage_capability::lease::ClaimState;

/// One host and what the systems around it hold of it, at one moment. The names of the fields are those that scenarios and
/// invariants use; later ones are added, none is changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Situation {
    /// `on` or `off`.
    pub power: &'static str,
    /// What the machine does: `off`, `post`, `network-boot`, `installer-booting`, `installer`, `os-booting`, `os-up`,
    /// `stopping` or `nothing-bootable`.
    pub stage: &'static str,
    /// Code name of the release on its disk.
    pub release: Option<String>,
    /// Which installation put it there; 0 is the system that the world began with.
    pub installation: Option<u64>,
    /// Whose key the system on its disk lets in: `installer` or `production`.
    pub accepts: Option<&'static str>,
    /// Units that are masked there.
    pub masked: BTreeSet<String>,
    /// The firmware that starts it: `bios` or `uefi`.
    pub firmware: &'static str,
    /// UEFI: whether the firmware still has the boot entry of the system on its disk.
    pub boot_entry: Option<bool>,
    /// The boot override that the BMC holds: `none`, `pxe`, `disk` …
    #[serde(rename = "override")]
    pub boot_override: String,
    /// Its DHCP entry.
    pub dhcp: DhcpEntry,
    /// How often things happened to it.
    pub counters: Counters,
    /// The Puppet agent on its disk.
    pub puppet: AgentState,
    /// What the certificate authority holds.
    pub certificate: CertificateState,
    /// What PuppetDB holds.
    pub puppetdb: Known,
    /// What monitoring holds.
    pub icinga: Monitoring,
    /// What Alertmanager holds.
    pub alertmanager: Silences,
    /// The services that it is in.
    pub conftool: Vec<PoolObject>,
    /// What Debmonitor holds.
    pub debmonitor: Known,
    /// What the inventory holds.
    pub netbox: InventoryState,
    /// The task that the run was started for.
    pub task: TaskState,
    /// Which run claims the host.
    pub lease: LeaseState,
}

/// The claim on the host in the lease folder of the install server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeaseState {
    /// `none`, `held`, `broken` or `released`.
    pub state: &'static str,
    /// The run that acquired it last.
    pub run: Option<String>,
}

/// The entry that the install server serves for the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DhcpEntry {
    /// Whether there is one.
    pub published: bool,
    /// The value by which the machine is recognised.
    pub matches: Option<String>,
    /// Whether the install server takes it out by itself some day.
    pub expires: bool,
    /// The run that published it, where the lab knows.
    pub run: Option<String>,
}

/// The Puppet agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AgentState {
    /// The reason with which it was disabled.
    pub disabled: Option<String>,
    /// Whether its first run succeeded.
    pub configured: bool,
}

/// The certificate in the name of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateState {
    /// `absent`, `requested`, `signed` or `revoked`.
    pub state: &'static str,
    /// Its fingerprint.
    pub fingerprint: Option<String>,
    /// Whether it is for the key of the agent on the disk.
    pub ours: bool,
}

/// Whether a system knows the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Whether it does.
    pub known: bool,
}

/// What monitoring says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Monitoring {
    /// Whether it knows the host.
    pub known: bool,
    /// Whether all is well.
    pub optimal: bool,
    /// Downtimes that have not ended.
    pub downtimes: usize,
}

/// Silences of the host's alerts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Silences {
    /// Those that have not ended.
    pub silences: usize,
}

/// The device in the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InventoryState {
    /// `active`, `planned`, `failed` …
    pub status: String,
}

/// The ticket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TaskState {
    /// Comments on it.
    pub comments: usize,
}

impl World {
    /// How things stand around a host, for a run that was started for this task; `None` for an unknown host.
    pub fn situation(&self, host: &str, task: Option<&str>) -> Option<Situation> {
        let machine = self.machine(host)?;
        let disk = machine.disk.as_ref();
        Some(Situation {
            power: if machine.is_on() { "on" } else { "off" },
            stage: stage(&machine.stage),
            release: machine.release().map(str::to_owned),
            installation: disk.map(|disk| disk.installation),
            accepts: disk.map(|disk| match disk.accepts {
                Accepts::Installer => "installer",
                Accepts::Production => "production",
            }),
            masked: disk.map(|disk| disk.masked.clone()).unwrap_or_default(),
            firmware: match machine.hardware.firmware {
                Starts::Uefi => "uefi",
                Starts::Bios => "bios",
            },
            boot_entry: disk.map(|disk| disk.boot_entry),
            boot_override: machine.bmc.as_ref().map_or_else(
                || "none".to_owned(),
                |bmc| device(&bmc.boot_override.device).to_owned(),
            ),
            dhcp: self.dhcp_entry(host),
            counters: machine.counters,
            puppet: disk.map(|disk| agent(&disk.agent)).unwrap_or_default(),
            certificate: self.certificate_state(machine),
            puppetdb: Known {
                known: self.services.puppetdb.nodes.contains_key(host),
            },
            icinga: self.monitoring_state(host),
            alertmanager: Silences {
                silences: self
                    .services
                    .alertmanager
                    .silences
                    .iter()
                    .filter(|silence| silence.host == host && silence.ends > self.now)
                    .count(),
            },
            conftool: self.services.conftool.of(host),
            debmonitor: Known {
                known: self.services.debmonitor.hosts.contains(host),
            },
            netbox: InventoryState {
                status: machine.inventory.device.status.word().to_owned(),
            },
            task: TaskState {
                comments: task.map_or(0, |task| self.comments(task).len()),
            },
            lease: self.lease_state(machine),
        })
    }

    fn lease_state(&self, machine: &Machine) -> LeaseState {
        let name = machine.fqdn().to_ascii_lowercase();
        match self.lease_folder().claims.get(&name) {
            None => LeaseState {
                state: "none",
                run: None,
            },
            Some(kept) => LeaseState {
                state: match kept.claim.state {
                    ClaimState::Held => "held",
                    ClaimState::Broken => "broken",
                    ClaimState::Released => "released",
                },
                run: Some(kept.claim.run.clone()),
            },
        }
    }

    fn dhcp_entry(&self, host: &str) -> DhcpEntry {
        self.server
            .entries
            .get(host)
            .map_or_else(DhcpEntry::default, |served| DhcpEntry {
                published: true,
                matches: Some(served.published.matches.clone()),
                expires: served.expires < u64::MAX,
                run: served.run.clone(),
            })
    }

    fn certificate_state(&self, machine: &Machine) -> CertificateState {
        let held = self.services.puppet_ca.held.get(machine.fqdn());
        let (state, fingerprint) = match held {
            None => ("absent", None),
            Some(Held::Requested(fingerprint)) => ("requested", Some(fingerprint)),
            Some(Held::Signed(fingerprint)) => ("signed", Some(fingerprint)),
            Some(Held::Revoked(fingerprint)) => ("revoked", Some(fingerprint)),
        };
        let own = machine.agent().and_then(|agent| agent.fingerprint.as_ref());
        CertificateState {
            state,
            ours: fingerprint.is_some() && fingerprint == own,
            fingerprint: fingerprint.cloned(),
        }
    }

    fn monitoring_state(&self, host: &str) -> Monitoring {
        let Some(monitored) = self.services.icinga.hosts.get(host) else {
            return Monitoring::default();
        };
        Monitoring {
            known: true,
            optimal: self
                .monitoring_seen(host)
                .is_some_and(|status| status.optimal),
            downtimes: monitored
                .downtimes
                .iter()
                .filter(|downtime| downtime.ends > self.now)
                .count(),
        }
    }
}

fn stage(stage: &Stage) -> &'static str {
    match stage {
        Stage::Off => "off",
        Stage::Post => "post",
        Stage::NetworkBoot { .. } => "network-boot",
        Stage::InstallerBooting { .. } => "installer-booting",
        Stage::Installer { .. } => "installer",
        Stage::OsBooting => "os-booting",
        Stage::OsUp => "os-up",
        Stage::Stopping => "stopping",
        Stage::NothingBootable => "nothing-bootable",
    }
}

fn device(device: &BootDevice) -> &str {
    match device {
        BootDevice::None => "none",
        BootDevice::Pxe => "pxe",
        BootDevice::Disk => "disk",
        BootDevice::Cdrom => "cdrom",
        BootDevice::BiosSetup => "bios-setup",
        BootDevice::Other(other) => other,
    }
}

fn agent(agent: &Agent) -> AgentState {
    AgentState {
        disabled: agent.disabled.as_ref().map(|it| it.reason.clone()),
        configured: agent.configured,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_built_in_host_is_in_production() {
        let world = World::builtin().unwrap();
        assert_eq!(world.situation("nobody", None), None);
        let now = serde_json::to_value(world.situation("host1001", Some("T12345"))).unwrap();
        for (at, value) in [
            ("/power", "\"on\""),
            ("/stage", "\"os-up\""),
            ("/firmware", "\"bios\""),
            ("/release", "\"buster\""),
            ("/override", "\"none\""),
            ("/dhcp/published", "false"),
            ("/certificate/state", "\"signed\""),
            ("/certificate/ours", "true"),
            ("/icinga/known", "true"),
            ("/icinga/optimal", "true"),
            ("/counters/power_cycles", "0"),
            ("/conftool/0/pooled", "\"yes\""),
            ("/netbox/status", "\"active\""),
            ("/task/comments", "0"),
            ("/lease/state", "\"none\""),
        ] {
            assert_eq!(now.pointer(at).unwrap().to_string(), value, "{at}");
        }
    }
}
