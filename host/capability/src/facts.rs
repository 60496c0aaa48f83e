//! What a run has seen that decides whether taking something back is still right.

use crate::Function;
use crate::ipmi::{BootDevice, BootFlags};
use crate::netbox::{Device, Firmware};
use crate::remote::{Boot, Identity};
use serde_json::Value;
use wreimage_facts::installer::is_installer;

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
    /// A power command or a reboot has been tried: what was set for the next boot may be in use.
    pub restarted: bool,
    /// The installer has answered since, with this boot id.
    pub installer: Option<String>,
    /// A system that is not the installer has answered since.
    pub system_up: bool,
    /// An installer has answered at some time: the system that was there before is gone.
    pub wiped: bool,
    /// The BMC has told since the last restart that it holds no boot override.
    pub override_gone: bool,
}

impl Facts {
    /// Learns from a call that is about to be tried: a restart that ends in doubt may have happened.
    pub fn foresee(&mut self, function: &Function) {
        if matches!(
            (function.capability, function.name),
            ("ipmi", "set-power") | ("remote", "reboot")
        ) {
            self.restarted = true;
            self.installer = None;
            self.system_up = false;
            self.override_gone = false;
        }
        if (function.capability, function.name) == ("ipmi", "set-boot-device") {
            self.override_gone = false;
        }
    }

    /// Learns from a call that succeeded.
    pub fn observe(&mut self, function: &Function, outcome: &Value) {
        match (function.capability, function.name) {
            ("netbox", "get-device") => {
                if let Ok(device) = serde_json::from_value::<Device>(outcome.clone()) {
                    self.uefi = device.firmware == Firmware::Uefi;
                }
            }
            ("ipmi", "get-boot-flags") => {
                if let Ok(flags) = serde_json::from_value::<BootFlags>(outcome.clone()) {
                    self.override_gone = self.system_up && flags.device == BootDevice::None;
                }
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
        let installer =
            boot.identity == Identity::Installer && is_installer(&boot.kernel_command_line);
        if installer {
            self.installer = Some(boot.boot_id.clone());
            self.wiped = true;
            self.system_up = false;
        } else {
            self.system_up = true;
        }
    }

    /// An override on UEFI must not be touched while an installer may be running, whether it has answered or not: clearing
    /// it makes some firmware forget the entry that GRUB has just written.
    pub fn boot_override_may_go(&self) -> Validity {
        if self.override_gone {
            Validity::Gone("the BMC holds none any more")
        } else if self.uefi && self.restarted && !self.system_up {
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
        if self.wiped {
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
