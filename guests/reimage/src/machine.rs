//! What is known of the machine.

use wreimage_sdk::dhcp::Release;
use wreimage_sdk::netbox::{Device, Firmware};
use wreimage_sdk::remote::Identity;

/// The machine as the validation found it.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its entry in the inventory.
    pub device: Device,
    /// Name of its management interface.
    pub management: String,
    /// Boot id of what ran before the reimage, when a system answered.
    pub boot_id: Option<String>,
    /// Where that system answered.
    pub answered_at: Option<Identity>,
    /// The BMC reported that it is off: nothing on it can be asked.
    pub is_off: bool,
    /// PuppetDB does not know it: there is no old system that monitoring and services know.
    pub is_new: bool,
    /// What the install server can install, where that is known.
    pub releases: Option<Vec<Release>>,
    /// With `--no-pxe` the OS that runs: nothing is installed.
    pub present: Option<System>,
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

/// The installed system, before Puppet has configured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// Which key it lets in: a fresh one the installer's, one that an earlier run has enrolled only the site's.
    pub identity: Identity,
}
