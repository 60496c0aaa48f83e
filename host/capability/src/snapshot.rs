//! What a run has checked of its host: the inventory's record, the BMC's addresses, and the boot that it has accepted.

use crate::netbox::{Device, SwitchPort};
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
