//! How a machine goes from one stage to the next, and why.

use crate::bmc::Override;
use crate::event::{Event, Queue};
use crate::history::History;
use crate::install_server::InstallServer;
use crate::machine::{
    Accepts, KernelBoot, Load, Machine, Restart, RestartCause, Stage, Starts, System,
};
use crate::release;
use crate::service::agent::Agent;
use crate::services_file::count_down;
use crate::time::{Millis, Times};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use wreimage_capability::dhcp::BootMethod;
use wreimage_capability::ipmi::BootDevice;

/// What a machine can see and leave behind while something happens to it.
pub(crate) struct Turn<'a> {
    pub now: Millis,
    pub seed: u64,
    pub times: &'a Times,
    pub events: &'a mut Queue,
    pub history: &'a mut History,
    pub server: &'a InstallServer,
}

impl Turn<'_> {
    pub(crate) fn tell(&mut self, machine: &Machine, text: impl Into<String>) {
        self.history.add(self.now, &machine.name, text);
    }
}

/// Bytes that look random and are the same for the same seed, machine, purpose and number: no generator whose state
/// would have to be kept.
pub(crate) fn noise(seed: u64, host: &str, purpose: &str, number: u64) -> [u8; 32] {
    Sha256::digest(format!("{seed}/{host}/{purpose}/{number}").as_bytes()).into()
}

/// The id of a boot.
pub(crate) fn boot_id(seed: u64, host: &str, number: u64) -> String {
    uuid(seed, host, "boot", number)
}

/// A version 4 UUID made of noise.
pub(crate) fn uuid(seed: u64, host: &str, purpose: &str, number: u64) -> String {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = noise(seed, host, purpose, number);
    let (g, i) = ((g & 0x0f) | 0x40, (i & 0x3f) | 0x80);
    let groups: [&[u8]; 5] = [
        &[a, b, c, d],
        &[e, f],
        &[g, h],
        &[i, j],
        &[k, l, m, n, o, p],
    ];
    groups.map(hex::encode).join("-")
}

/// A fingerprint of an SSH host key.
pub(crate) fn host_key(seed: u64, host: &str, purpose: &str, number: u64) -> String {
    format!("SHA256:{}", hex::encode(noise(seed, host, purpose, number)))
}

impl Machine {
    /// Enters a stage, which ends by itself after `lasts`.
    pub(crate) fn enter(&mut self, turn: &mut Turn<'_>, stage: Stage, lasts: Option<Millis>) {
        self.stamp(turn.times, turn.now);
        if let Some(disk) = &mut self.disk {
            // What the agent did in the boot that ends says nothing of the next one.
            disk.agent.well = None;
        }
        self.stage = stage;
        self.since = turn.now;
        self.until = lasts.map(|lasts| turn.now.saturating_add(lasts));
        self.generation += 1;
        if let Some(until) = self.until {
            turn.events.add(
                until,
                Event::StageEnds {
                    host: self.name.clone(),
                    generation: self.generation,
                },
            );
        }
    }

    /// The BMC cuts the power.
    pub(crate) fn power_off(&mut self, turn: &mut Turn<'_>) {
        turn.tell(self, "power off by BMC");
        self.boot = None;
        self.enter(turn, Stage::Off, None);
    }

    /// The BMC gives power to a machine that is off.
    pub(crate) fn power_on(&mut self, turn: &mut Turn<'_>) {
        turn.tell(self, "power on by BMC");
        self.start(turn, RestartCause::ChassisControl);
    }

    /// The BMC cuts the power and gives it again.
    pub(crate) fn power_cycle(&mut self, turn: &mut Turn<'_>) {
        turn.tell(self, "power cycle by BMC");
        self.counters.power_cycles += 1;
        self.start(turn, RestartCause::ChassisControl);
    }

    /// The running system goes down for a restart.
    pub(crate) fn reboot(&mut self, turn: &mut Turn<'_>, why: &str) {
        if self.stage == Stage::OsUp && count_down(&mut self.ignores_restarts) {
            turn.tell(self, format!("does not go down for a restart: {why}"));
            return;
        }
        turn.tell(self, format!("goes down for a restart: {why}"));
        self.counters.reboots += 1;
        self.enter(turn, Stage::Stopping, Some(turn.times.shutdown));
    }

    fn start(&mut self, turn: &mut Turn<'_>, cause: RestartCause) {
        self.boot = None;
        self.restarted = Some(Restart {
            at: turn.now,
            cause,
        });
        if let Some(bmc) = &mut self.bmc {
            // From here on the firmware will read the override: the timer that would forget it is void.
            bmc.override_generation += 1;
        }
        turn.tell(self, "POST begins");
        self.enter(turn, Stage::Post, Some(turn.times.post));
    }

    /// The present stage has come to its end.
    pub(crate) fn stage_ends(&mut self, turn: &mut Turn<'_>) {
        match self.stage.clone() {
            Stage::Post => self.after_post(turn),
            Stage::NetworkBoot { load: None } => {
                turn.tell(self, "gives up on the network, goes on to the disk");
                self.boot_disk(turn);
            }
            Stage::NetworkBoot { load: Some(load) } => self.start_installer(turn, load),
            Stage::InstallerBooting { load } => {
                self.counters.installations_begun += 1;
                self.disk = None;
                if let Some(bmc) = &mut self.bmc {
                    bmc.boot_entry_lost = false;
                }
                turn.tell(
                    self,
                    format!("installer {load} is up: wipes the disk, installs"),
                );
                self.enter(
                    turn,
                    Stage::Installer { load },
                    Some(turn.times.installation),
                );
            }
            Stage::Installer { load } => self.installed(turn, &load),
            Stage::Stopping => self.start(turn, RestartCause::Software),
            Stage::OsBooting => {
                let release = self.release().unwrap_or("nothing").to_owned();
                turn.tell(self, format!("{release} is up"));
                self.override_returns(turn);
                self.enter(turn, Stage::OsUp, None);
                turn.events.add(
                    turn.now,
                    Event::SystemUp {
                        host: self.name.clone(),
                        generation: self.generation,
                    },
                );
            }
            Stage::Off | Stage::OsUp | Stage::NothingBootable => {}
        }
    }

    /// Some BMCs have a forced network boot again that was used and cleared.
    fn override_returns(&mut self, turn: &mut Turn<'_>) {
        let efi = self.hardware.firmware == Starts::Uefi;
        if let Some(bmc) = &mut self.bmc
            && count_down(&mut bmc.quirks.override_returns)
        {
            bmc.set_override(Override {
                valid: true,
                persistent: false,
                efi,
                device: BootDevice::Pxe,
            });
            turn.tell(self, "BMC has the forced network boot again");
        }
    }

    /// The firmware reads the boot override, and with most BMCs that is the end of it.
    fn after_post(&mut self, turn: &mut Turn<'_>) {
        let told = self.take_override(turn);
        let right_firmware = told.efi == (self.hardware.firmware == Starts::Uefi);
        match told.device {
            BootDevice::None | BootDevice::Disk => self.boot_disk(turn),
            BootDevice::Pxe if right_firmware => self.network_boot(turn),
            BootDevice::BiosSetup if right_firmware => {
                turn.tell(self, "stops in the firmware's setup");
                self.enter(turn, Stage::NothingBootable, None);
            }
            BootDevice::Pxe | BootDevice::BiosSetup => {
                let mode = |efi: bool| if efi { "EFI" } else { "legacy" };
                turn.tell(
                    self,
                    format!(
                        "ignores the {} boot override: its firmware starts the {} way",
                        mode(told.efi),
                        mode(!told.efi)
                    ),
                );
                self.boot_disk(turn);
            }
            BootDevice::Cdrom | BootDevice::Other(_) => {
                turn.tell(self, "finds no medium in the device of the boot override");
                self.boot_disk(turn);
            }
        }
    }

    fn take_override(&mut self, turn: &mut Turn<'_>) -> Override {
        let Some(bmc) = &mut self.bmc else {
            return Override::none();
        };
        let told = bmc.boot_override.clone();
        if told.device == BootDevice::None || told.persistent {
            return told;
        }
        if bmc.quirks.keeps_override {
            turn.tell(
                self,
                "BMC keeps the boot override for the next boot as well",
            );
        } else {
            bmc.set_override(Override::none());
        }
        told
    }

    fn network_boot(&mut self, turn: &mut Turn<'_>) {
        self.counters.network_boots += 1;
        let answer = turn.server.answer(self).and_then(|(served, by)| {
            let entry = served.entry.as_ref()?;
            let load = Load {
                distribution: entry.distribution.clone(),
                media: entry.media.clone(),
                boot: entry.boot.clone(),
            };
            Some((load, by))
        });
        let load = match answer {
            None => {
                turn.tell(self, "asks DHCP: no entry for its switch port, MAC or UUID");
                None
            }
            Some((load, by)) => {
                turn.tell(self, format!("asks DHCP: served {load} by {by}"));
                if !turn.server.has(&load) {
                    turn.tell(self, format!("cannot load {load}: no such boot path"));
                    None
                } else if (load.boot == BootMethod::UefiHttp)
                    != (self.hardware.firmware == Starts::Uefi)
                {
                    turn.tell(
                        self,
                        format!(
                            "cannot start {load}: its boot loader is for the other kind of firmware"
                        ),
                    );
                    None
                } else {
                    Some(load)
                }
            }
        };
        let lasts = if load.is_some() {
            turn.times.network_load
        } else {
            turn.times.pxe_timeout
        };
        self.enter(turn, Stage::NetworkBoot { load }, Some(lasts));
    }

    fn start_installer(&mut self, turn: &mut Turn<'_>, load: Load) {
        let mark = match load.boot {
            BootMethod::PxelinuxHttp | BootMethod::PxelinuxTftp => {
                "BOOT_IMAGE=debian-installer/amd64/linux "
            }
            _ => "",
        };
        let line = format!(
            "{mark}auto-install/enable=true preseed/url=http://{}/autoinstall/preseed.cfg \
             debian-installer/locale=en_US vga=normal console=ttyS1,115200n8",
            turn.server.boot_server
        );
        let key = host_key(turn.seed, &self.name, "installer", self.counters.boots);
        self.start_kernel(turn, line, key);
        turn.tell(self, format!("starts {load}"));
        let lasts = Some(turn.times.installer_boot);
        self.enter(turn, Stage::InstallerBooting { load }, lasts);
    }

    fn installed(&mut self, turn: &mut Turn<'_>, load: &Load) {
        self.counters.installations += 1;
        let installation = self.counters.installations;
        // On such firmware the entry was lost while it was being written.
        let boot_entry = !self.bmc.as_ref().is_some_and(|bmc| bmc.boot_entry_lost);
        self.disk = Some(System {
            release: turn.server.release(load),
            installation,
            accepts: Accepts::Installer,
            host_key: host_key(turn.seed, &self.name, "system", installation),
            masked: BTreeSet::new(),
            boot_entry,
            agent: Agent::default(),
        });
        turn.tell(self, format!("{} is installed", turn.server.release(load)));
        self.reboot(turn, "the installer has finished");
    }

    fn boot_disk(&mut self, turn: &mut Turn<'_>) {
        let Some(system) = &self.disk else {
            turn.tell(self, "finds nothing bootable");
            return self.enter(turn, Stage::NothingBootable, None);
        };
        if self.hardware.firmware == Starts::Uefi && !system.boot_entry {
            turn.tell(
                self,
                "finds nothing bootable: the firmware has lost the system's boot entry",
            );
            return self.enter(turn, Stage::NothingBootable, None);
        }
        let line = release::command_line(&system.release);
        let key = system.host_key.clone();
        let release = system.release.clone();
        self.start_kernel(turn, line, key);
        turn.tell(self, format!("starts {release} from the disk"));
        self.enter(turn, Stage::OsBooting, Some(turn.times.os_boot));
    }

    fn start_kernel(&mut self, turn: &mut Turn<'_>, command_line: String, host_key: String) {
        self.counters.boots += 1;
        self.boot = Some(KernelBoot {
            id: boot_id(turn.seed, &self.name, self.counters.boots),
            started: turn.now,
            command_line,
            host_key,
            told: false,
            commands: BTreeMap::new(),
        });
    }
}
