//! What the inventory said of a run's host at the last check.

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
