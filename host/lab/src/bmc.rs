//! The baseboard management controller: boot override, identity, and the ways in which real ones are odd.

use crate::time::Millis;
use serde::{Deserialize, Serialize};
use wreimage_capability::ipmi::{BootDevice, BootFlags};

/// Whether the BMC speaks to us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// It does.
    #[default]
    Yes,
    /// Nothing comes back.
    No,
    /// It refuses the password.
    WrongPassword,
    /// It has no cipher suite that we accept.
    NoCipherSuite,
}

/// Boot parameter 5 as the BMC holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Override {
    /// The valid bit.
    pub valid: bool,
    /// For all boots, not only the next.
    pub persistent: bool,
    /// Asks for an EFI boot.
    pub efi: bool,
    /// Where to.
    pub device: BootDevice,
}

impl Override {
    /// No override: what a BMC shows after the firmware has used one up.
    pub fn none() -> Self {
        Override {
            valid: false,
            persistent: false,
            efi: false,
            device: BootDevice::None,
        }
    }

    /// No override, with the valid bit set: what a BMC shows after it was told `none`.
    pub fn cleared() -> Self {
        Override {
            valid: true,
            ..Override::none()
        }
    }

    /// As the border has it, with the five data bytes.
    pub fn flags(&self) -> BootFlags {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let first = bit(self.valid, 0x80) | bit(self.persistent, 0x40) | bit(self.efi, 0x20);
        let second = selector(&self.device).unwrap_or(0);
        BootFlags {
            valid: self.valid,
            persistent: self.persistent,
            efi: self.efi,
            device: self.device.clone(),
            raw: format!("{first:02x}{second:02x}000000"),
            extra: Vec::new(),
        }
    }
}

impl From<&BootFlags> for Override {
    fn from(flags: &BootFlags) -> Self {
        Override {
            valid: flags.valid,
            persistent: flags.persistent,
            efi: flags.efi,
            device: flags.device.clone(),
        }
    }
}

/// Byte 2 of boot parameter 5 (IPMI 2.0, table 28-14); `None` for a device that this BMC does not know.
pub fn selector(device: &BootDevice) -> Option<u8> {
    match device {
        BootDevice::None => Some(0x00),
        BootDevice::Pxe => Some(0x04),
        BootDevice::Disk => Some(0x08),
        BootDevice::Cdrom => Some(0x14),
        BootDevice::BiosSetup => Some(0x18),
        BootDevice::Other(_) => None,
    }
}

/// What is odd about this BMC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quirks {
    /// It keeps a one-time override after the boot that used it.
    pub keeps_override: bool,
    /// It forgets an override when the machine was not restarted within this time.
    pub forgets_override_after: Option<Millis>,
    /// So many more times it acknowledges a forced network boot and does not keep it.
    pub pxe_does_not_stick: u32,
    /// So many more times it acknowledges the end of an override and keeps it.
    pub does_not_clear: u32,
    /// So many more times a forced network boot is there again when a system has started.
    pub override_returns: u32,
    /// Writing the override while an installer runs on UEFI makes the firmware lose the boot entry that is being written.
    pub loses_boot_entry: bool,
}

/// A BMC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bmc {
    /// Whether it speaks to us.
    pub answers: Answers,
    /// Manufacturer that it tells.
    pub manufacturer: Option<String>,
    /// Product that it tells.
    pub product: Option<String>,
    /// Serial number that it tells, which may be that of another machine.
    pub serial: Option<String>,
    /// System GUID that it tells.
    pub guid: Option<String>,
    /// Its own firmware version.
    pub firmware: Option<String>,
    /// The boot override.
    pub boot_override: Override,
    /// Raised with every change of the override and every restart: a timer made before is void.
    pub override_generation: u64,
    /// The override was written while an installer ran on UEFI, and this machine's firmware has paid for it.
    pub boot_entry_lost: bool,
    /// What is odd about it.
    pub quirks: Quirks,
}

impl Bmc {
    /// A BMC without oddities that tells what it was given.
    pub fn healthy(
        manufacturer: Option<String>,
        serial: Option<String>,
        guid: Option<String>,
    ) -> Self {
        Bmc {
            answers: Answers::Yes,
            manufacturer,
            product: None,
            serial,
            guid,
            firmware: None,
            boot_override: Override::none(),
            override_generation: 0,
            boot_entry_lost: false,
            quirks: Quirks::default(),
        }
    }

    /// Holds another override; the timer of the one before is void.
    pub(crate) fn set_override(&mut self, to: Override) {
        self.boot_override = to;
        self.override_generation += 1;
    }
}
