//! What a run has checked of its host: the inventory's record, the BMC's addresses, and the boot that it has accepted.

use crate::netbox::{Device, DeviceKind, DeviceStatus, Firmware, SwitchPort};
use crate::role::MachineIdentity;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The inventory's record of the host and the resolved address of its BMC, read at one check. The engine records it and
/// passes it with every call; no provider reads an inventory of its own, so what was checked is what is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostSnapshot {
    /// The device: names, addresses, MAC, serial number, UUID, tags.
    pub device: Device,
    /// The switch port of the primary interface, where the inventory knows one.
    pub switch_port: Option<SwitchPort>,
    /// Addresses to which the management name resolved at the check, in the resolver's order. The BMC is reached by these.
    pub bmc_addresses: Vec<IpAddr>,
}

impl HostSnapshot {
    /// The inventory's record alone: no switch port was read and no BMC was asked yet.
    pub fn of(device: Device) -> Self {
        HostSnapshot {
            device,
            switch_port: None,
            bmc_addresses: Vec::new(),
        }
    }

    /// Short name of the host.
    pub fn name(&self) -> &str {
        &self.device.name
    }

    /// Its status in the inventory, as a word.
    pub fn status(&self) -> &str {
        self.device.status.word()
    }

    /// Whether its status forbids any change.
    pub fn is_decommissioned(&self) -> bool {
        self.device.status == DeviceStatus::Decommissioning
    }

    /// Whether the machine starts by UEFI.
    pub fn is_uefi(&self) -> bool {
        self.device.firmware == Firmware::Uefi
    }

    /// The machine that the inventory describes.
    pub fn machine(&self) -> MachineIdentity {
        MachineIdentity {
            serial: self.device.serial.clone(),
            uuid: self.device.machine_uuid.clone(),
        }
    }

    /// The values by which the inventory identifies the machine, by name. Always the same names in the same order.
    pub fn identifying(&self) -> [(&'static str, Option<String>); 7] {
        let device = &self.device;
        let kind = match &device.kind {
            DeviceKind::Physical => "physical",
            DeviceKind::Virtual => "virtual",
            DeviceKind::Other(kind) => kind,
        };
        let port = self.switch_port.as_ref();
        let port = port.map(|it| format!("{} of {}, VLAN {}", it.port, it.switch_name, it.vlan));
        [
            ("site", Some(device.site.clone())),
            ("kind of machine", Some(kind.to_owned())),
            ("serial number", device.serial.clone()),
            ("UUID", device.machine_uuid.clone()),
            ("management name", device.management_fqdn.clone()),
            ("MAC address", device.mac.clone()),
            ("switch port", port),
        ]
    }

    /// What consent shows of it, by name.
    pub fn described(&self) -> Vec<(String, String)> {
        let device = &self.device;
        let tags = (!device.tags.is_empty()).then(|| device.tags.join(", "));
        [
            ("name", Some(device.fqdn.clone())),
            ("status", Some(self.status().to_owned())),
            ("vendor", device.vendor.clone()),
            ("serial", device.serial.clone()),
            ("address", device.primary_ip.clone()),
            ("tags", tags),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

/// A boot at the installer identity that a run has accepted. Its host key is the only one that the run accepts there
/// until another wait for a boot ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PinnedBoot {
    /// The boot ID.
    pub boot_id: String,
    /// SHA-256 fingerprint of the host key.
    pub host_key: String,
}
