//! What is known of the machine and does not change during the run.

use wreimage_sdk::netbox::{Device, Firmware};

/// The machine as the validation found it.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its entry in the inventory.
    pub device: Device,
    /// Name of its management interface.
    pub management: String,
    /// Boot id of what ran before the reimage, when somebody could tell.
    pub boot_id: Option<String>,
}

impl Machine {
    /// Whether it starts by UEFI.
    pub fn is_uefi(&self) -> bool {
        self.device.firmware == Firmware::Uefi
    }

    /// The BMC, for messages.
    pub fn bmc(&self) -> String {
        format!("BMC {}", self.management)
    }
}
