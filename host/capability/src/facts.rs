//! What a run has seen that decides whether taking something back is still right.

use crate::netbox::{Device, Firmware};
use crate::remote::{Boot, Identity};
use crate::{Function, to_millis};
use jiff::Timestamp;
use serde_json::Value;

/// Whether an inverse may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Take it back.
    Now,
    /// Leave it; the text says why and what to do.
    Leave(&'static str),
    /// It went by itself; the text says how.
    Gone(&'static str),
}

/// Grows from the outcomes of calls as they pass the gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The inventory says that the machine starts by UEFI.
    pub uefi: bool,
    /// A power command or a reboot has been given: what was set for the next boot may be in use.
    pub restarted: bool,
    /// The installer answered, with this boot id.
    pub installer: Option<String>,
    /// A system that is not the installer answered after it.
    pub installed: bool,
    /// Time of the last restart in milliseconds since the epoch.
    pub restarted_ms: Option<u64>,
}

/// The text on an installer's kernel command line by which it is told from an installed system: PXELINUX names the boot
/// image, iPXE only the preseed file.
const INSTALLER_MARKS: [&str; 2] = ["BOOT_IMAGE=debian-installer", "preseed/url="];

impl Facts {
    /// Whether a kernel command line is that of an installer.
    pub fn is_installer(kernel_command_line: &str) -> bool {
        INSTALLER_MARKS
            .iter()
            .any(|mark| kernel_command_line.contains(mark))
    }

    /// Learns from a call that succeeded.
    pub fn observe(&mut self, function: &Function, outcome: &Value, now: Timestamp) {
        match (function.capability, function.name) {
            ("netbox", "get-device") => {
                if let Ok(device) = serde_json::from_value::<Device>(outcome.clone()) {
                    self.uefi = device.firmware == Firmware::Uefi;
                }
            }
            ("ipmi", "set-power") | ("remote", "reboot") => {
                self.restarted = true;
                self.restarted_ms = Some(to_millis(now));
            }
            ("remote", "wait-for-boot") => {
                if let Ok(boot) = serde_json::from_value::<Boot>(outcome.clone()) {
                    self.observe_boot(&boot);
                }
            }
            _ => {}
        }
    }

    fn observe_boot(&mut self, boot: &Boot) {
        if Facts::is_installer(&boot.kernel_command_line) {
            if boot.identity == Identity::Installer {
                self.installer = Some(boot.boot_id.clone());
            }
        } else if self.installer.is_some() {
            self.installed = true;
        }
    }

    /// An override on UEFI must not be touched while the installer runs: clearing it makes some firmware forget the entry
    /// that GRUB has just written.
    pub fn boot_override_may_go(&self) -> Validity {
        if self.uefi && self.installer.is_some() && !self.installed {
            Validity::Leave(
                "the installer may still be running and clearing the override on UEFI can lose the boot entry of the new \
                 system; clear it when the system is up",
            )
        } else {
            Validity::Now
        }
    }

    /// What was done to the old system is gone with it.
    pub fn until_wiped(&self) -> Validity {
        if self.installer.is_some() {
            Validity::Gone("the system that it was done to has been wiped")
        } else {
            Validity::Now
        }
    }

    /// Taking back is right at any time.
    pub fn always(&self) -> Validity {
        Validity::Now
    }
}
