//! A lab's machine follows what real systems have answered.

use crate::bmc::{Bmc, Override};
use crate::boot::{Turn, host_key};
use crate::machine::{Accepts, KernelBoot, Load, Machine, Stage, Starts, System};
use crate::provider::command::{self, Change};
use crate::service::agent::Agent;
use crate::time::Millis;
use crate::twin::{UNKNOWN_RELEASE, circuit_id};
use crate::world::World;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wreimage_capability::dhcp::{BootMethod, Entry, Published, Release};
use wreimage_capability::dns::HostName;
use wreimage_capability::ipmi::{BootFlags, DeviceInfo, PowerAction, PowerState};
use wreimage_capability::netbox::{Device, DeviceKind, Firmware, SwitchPort};
use wreimage_capability::remote::{Boot, Command, Dmi, Identity, OsRelease};
use wreimage_capability::{Function, InstallerMarks};

/// An outcome, if it is one of this type: what cannot be read is not followed.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

pub(crate) fn argument<T: DeserializeOwned>(arguments: &Value, name: &str) -> Option<T> {
    read(arguments.get(name)?)
}

/// What a look at the running system has told.
struct Sight<'a> {
    identity: Identity,
    boot_id: Option<&'a str>,
    command_line: Option<&'a str>,
    uptime: Option<Millis>,
}

impl World {
    pub(crate) fn follow(
        &mut self,
        host: &str,
        function: &Function,
        arguments: &Value,
        outcome: &Value,
    ) {
        let is_device = (function.capability, function.name) == ("netbox", "get-device");
        if self.machine(host).is_none() {
            if !is_device || read::<Device>(outcome).is_none() {
                return;
            }
            self.adopt(host);
        }
        // What does not fit its type is left alone, hence the `Option`.
        let _ = match function.capability {
            "dhcp" => self.follow_dhcp(host, function.name, arguments, outcome),
            "netbox" if function.name == "set-status" => {
                self.follow_service(host, function, arguments, outcome)
            }
            "netbox" | "dns" | "ipmi" | "remote" => self
                .act(host, |machine, turn| match function.capability {
                    "netbox" => machine.follow_netbox(function.name, outcome),
                    "dns" => machine.follow_dns(arguments, outcome),
                    "ipmi" => machine.follow_ipmi(turn, function.name, arguments, outcome),
                    "remote" => machine.follow_remote(turn, function.name, arguments, outcome),
                    _ => None,
                })
                .flatten(),
            _ => self.follow_service(host, function, arguments, outcome),
        };
    }

    fn follow_dhcp(
        &mut self,
        host: &str,
        name: &str,
        arguments: &Value,
        outcome: &Value,
    ) -> Option<()> {
        match name {
            "publish" => {
                let entry: Entry = argument(arguments, "entry")?;
                let published: Published = read(outcome)?;
                // The real server knows its boot paths; the lab does not.
                self.server.any_boot_path = true;
                self.serve(host, Some(entry), published, None);
            }
            "withdraw" | "clear" => {
                self.server.entries.remove(host);
            }
            "get-releases" => self.server.lists = read::<Vec<Release>>(outcome),
            "get-published" => match read::<Option<Published>>(outcome)? {
                None => {
                    self.server.entries.remove(host);
                }
                Some(published) => {
                    let there = self.server.entries.get(host);
                    if there.is_none_or(|there| there.published.digest != published.digest) {
                        self.serve(host, None, published, None);
                    }
                }
            },
            _ => {}
        }
        Some(())
    }
}

impl Machine {
    fn follow_netbox(&mut self, name: &str, outcome: &Value) -> Option<()> {
        match name {
            "get-device" => self.learn_device(read(outcome)?),
            "get-switch-port" => {
                let port: SwitchPort = read(outcome)?;
                self.hardware.circuit_id = Some(circuit_id(&port));
                self.inventory.switch_port = Some(port);
            }
            _ => return None,
        }
        self.told.insert(format!("netbox.{name}"));
        Some(())
    }

    /// The inventory is believed where the machine and its BMC have not spoken for themselves.
    fn learn_device(&mut self, device: Device) {
        self.hardware.mac.clone_from(&device.mac);
        self.hardware.firmware = if device.firmware == Firmware::Uefi {
            Starts::Uefi
        } else {
            Starts::Bios
        };
        if !self.told.contains("remote.get-dmi") {
            self.hardware.serial.clone_from(&device.serial);
            self.hardware.uuid.clone_from(&device.machine_uuid);
        }
        if device.kind == DeviceKind::Virtual {
            self.bmc = None;
            self.hardware.circuit_id = None;
            self.inventory.switch_port = None;
        } else {
            let bmc = self
                .bmc
                .get_or_insert_with(|| Bmc::healthy(None, None, None));
            if !self.told.contains("ipmi.get-device-info") {
                bmc.manufacturer.clone_from(&device.vendor);
                bmc.serial.clone_from(&device.serial);
                bmc.guid.clone_from(&device.machine_uuid);
            }
        }
        self.inventory.device = device;
    }

    fn follow_dns(&mut self, arguments: &Value, outcome: &Value) -> Option<()> {
        let addresses: Vec<String> = read(outcome)?;
        let asked = match argument(arguments, "name")? {
            HostName::Host => {
                self.addresses.host = addresses;
                "dns.resolve host"
            }
            HostName::Management => {
                self.addresses.management = addresses;
                "dns.resolve management"
            }
        };
        self.told.insert(asked.to_owned());
        Some(())
    }

    fn follow_ipmi(
        &mut self,
        turn: &mut Turn<'_>,
        name: &str,
        arguments: &Value,
        outcome: &Value,
    ) -> Option<()> {
        match name {
            "get-power-state" => {
                let action = match read(outcome)? {
                    PowerState::On => PowerAction::On,
                    PowerState::Off => PowerAction::Off,
                    PowerState::Unknown(_) => return None,
                };
                self.set_power(turn, action);
            }
            "set-power" => {
                let action: PowerAction = argument(arguments, "action")?;
                if !self.set_power(turn, action) {
                    // The real machine was on, whatever was thought here.
                    self.set_power(turn, PowerAction::On);
                }
            }
            "get-boot-flags" | "set-boot-device" | "clear-boot-device" => {
                let flags: BootFlags = read(outcome)?;
                self.bmc.as_mut()?.set_override(Override::from(&flags));
            }
            "get-device-info" => {
                let info: DeviceInfo = read(outcome)?;
                let bmc = self.bmc.as_mut()?;
                bmc.manufacturer = info.manufacturer;
                bmc.product = info.product;
                bmc.serial = info.serial;
                bmc.guid = info.guid;
                bmc.firmware = info.firmware;
            }
            _ => return None,
        }
        self.told.insert(format!("ipmi.{name}"));
        Some(())
    }

    fn follow_remote(
        &mut self,
        turn: &mut Turn<'_>,
        name: &str,
        arguments: &Value,
        outcome: &Value,
    ) -> Option<()> {
        if name == "wait-for-boot" {
            let boot: Boot = read(outcome)?;
            self.sighted(
                turn,
                &Sight {
                    identity: boot.identity,
                    boot_id: Some(&boot.boot_id),
                    command_line: Some(&boot.kernel_command_line),
                    uptime: Some(boot.uptime_ms),
                },
            );
            return Some(());
        }
        let mut sight = Sight {
            identity: argument(arguments, "at")?,
            boot_id: None,
            command_line: None,
            uptime: None,
        };
        match name {
            "reboot" => {
                self.sighted(turn, &sight);
                self.reboot(turn, "asked to over SSH");
                return Some(());
            }
            "run" => {
                let command: Command = argument(arguments, "command")?;
                self.sighted(turn, &sight);
                self.apply(turn, command::change(&command.argv)?);
                return Some(());
            }
            "get-uptime" => sight.uptime = outcome.as_u64(),
            "get-boot-id" => sight.boot_id = outcome.as_str(),
            "get-kernel-command-line" => sight.command_line = outcome.as_str(),
            _ => {}
        }
        self.sighted(turn, &sight);
        match name {
            "get-dmi" => {
                let dmi: Dmi = read(outcome)?;
                self.hardware.serial = dmi.serial;
                self.hardware.uuid = dmi.machine_uuid;
            }
            "get-os-release" => {
                let about: OsRelease = read(outcome)?;
                if let Some(system) = &mut self.disk
                    && !about.codename.is_empty()
                {
                    system.release = about.codename;
                }
            }
            _ => {}
        }
        self.told.insert(format!("remote.{name}"));
        Some(())
    }

    /// The real machine let somebody in: so the lab's is up as well, with the same kernel.
    fn sighted(&mut self, turn: &mut Turn<'_>, sight: &Sight<'_>) {
        let installer = self.shows_installer(sight);
        let other_kernel = match (&self.boot, sight.boot_id) {
            // An id of the lab's own making was never the real one: it says nothing.
            (Some(boot), Some(id)) => boot.told && boot.id != id,
            (None, _) => true,
            (Some(_), None) => false,
        };
        let in_installer = matches!(self.stage, Stage::Installer { .. });
        let up = in_installer || self.stage == Stage::OsUp;
        if !up || other_kernel || in_installer != installer {
            self.comes_up(turn, sight.identity, installer);
        }
        let now = turn.now;
        if let Some(boot) = &mut self.boot {
            if let Some(id) = sight.boot_id {
                id.clone_into(&mut boot.id);
                boot.told = true;
            }
            if let Some(line) = sight.command_line {
                line.clone_into(&mut boot.command_line);
            }
            if let Some(uptime) = sight.uptime {
                boot.started = now.saturating_sub(uptime);
            }
        }
        self.lets_in(sight.identity);
    }

    fn shows_installer(&self, sight: &Sight<'_>) -> bool {
        match (sight.command_line, sight.identity) {
            (Some(line), _) => InstallerMarks::default().is_installer(line),
            (None, Identity::Production) => false,
            (None, Identity::Installer) => match &self.stage {
                Stage::Installer { .. }
                | Stage::InstallerBooting { .. }
                | Stage::NetworkBoot { load: Some(_) } => true,
                // A fresh system lets the installer identity in as well.
                _ => {
                    self.disk
                        .as_ref()
                        .is_none_or(|system| system.accepts == Accepts::Production)
                        && self.counters.boots > 0
                }
            },
        }
    }

    fn comes_up(&mut self, turn: &mut Turn<'_>, identity: Identity, installer: bool) {
        let load = match &self.stage {
            Stage::NetworkBoot { load: Some(load) }
            | Stage::InstallerBooting { load }
            | Stage::Installer { load } => Some(load.clone()),
            _ => turn.server.answer(self).and_then(|(served, _)| {
                let entry = served.entry.as_ref()?;
                Some(Load {
                    distribution: entry.distribution.clone(),
                    media: entry.media.clone(),
                    boot: entry.boot.clone(),
                })
            }),
        };
        let load = load.unwrap_or_else(|| Load {
            distribution: UNKNOWN_RELEASE.to_owned(),
            media: "installer".to_owned(),
            boot: BootMethod::PxelinuxHttp,
        });
        self.counters.boots += 1;
        let number = self.counters.boots;
        if installer {
            turn.tell(self, "the real machine runs its installer");
            self.counters.installations_begun += 1;
            self.disk = None;
            self.runs(turn, host_key(turn.seed, &self.name, "installer", number));
            self.enter(
                turn,
                Stage::Installer { load },
                Some(turn.times.installation),
            );
            return;
        }
        turn.tell(self, "the real machine runs its system");
        if self.disk.is_none() {
            self.counters.installations += 1;
            self.disk = Some(System {
                release: load.distribution,
                installation: self.counters.installations,
                accepts: match identity {
                    Identity::Installer => Accepts::Installer,
                    Identity::Production => Accepts::Production,
                },
                host_key: host_key(turn.seed, &self.name, "system", self.counters.installations),
                masked: BTreeSet::new(),
                boot_entry: true,
                agent: Agent::default(),
            });
        }
        let key = self.disk.as_ref().map(|system| system.host_key.clone());
        self.runs(turn, key.unwrap_or_default());
        self.enter(turn, Stage::OsUp, None);
    }

    fn runs(&mut self, turn: &Turn<'_>, host_key: String) {
        self.boot = Some(KernelBoot {
            id: crate::boot::boot_id(turn.seed, &self.name, self.counters.boots),
            started: turn.now,
            command_line: String::new(),
            host_key,
            told: false,
            commands: BTreeMap::new(),
        });
    }

    /// A system that let an identity in accepts it.
    fn lets_in(&mut self, identity: Identity) {
        if let (Stage::OsUp, Some(system)) = (&self.stage, &mut self.disk) {
            match identity {
                Identity::Installer => system.accepts = Accepts::Installer,
                Identity::Production => {
                    system.accepts = Accepts::Production;
                    self.known_host_key = Some(system.host_key.clone());
                }
            }
        }
    }

    /// Brings about what a command changes.
    pub(crate) fn apply(&mut self, turn: &mut Turn<'_>, change: Change) {
        match (change, &mut self.disk) {
            (Change::Reboot, _) => self.reboot(turn, "asked to over SSH"),
            (Change::Mask(units), Some(system)) => system.masked.extend(units),
            (Change::Unmask(units), Some(system)) => {
                system.masked.retain(|unit| !units.contains(unit));
            }
            (Change::Mask(_) | Change::Unmask(_), None) => {}
        }
    }
}
