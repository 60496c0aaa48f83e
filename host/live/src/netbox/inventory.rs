//! The inventory file of a site: what `netbox` answers, and where the other providers take a host's values from.

use crate::ConfigError;
use crate::bounded;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use wreimage_capability::Fault;

/// An inventory file; read anew each time, since it may change during a run.
#[derive(Debug, Clone)]
pub(crate) struct Inventory {
    pub(crate) path: PathBuf,
}

/// The content of an inventory file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InventoryFile {
    /// `[hosts.NAME]`, by short name.
    #[serde(default)]
    pub hosts: BTreeMap<String, InventoryHost>,
}

/// `[hosts.NAME]`: the fields of `netbox.device`, and the switch port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InventoryHost {
    /// Full name; `HOST.DOMAIN` unless given.
    pub fqdn: Option<String>,
    /// Name of the management interface; as the site file's `management` unless given. A virtual machine has none.
    pub management_fqdn: Option<String>,
    /// Data centre; the site's name unless given.
    pub site: Option<String>,
    /// Where it stands in its life.
    pub status: Option<String>,
    /// `physical` unless given, or `virtual`.
    pub kind: Option<String>,
    /// `bios` unless given, or `uefi`.
    pub firmware: Option<String>,
    /// Who made it.
    pub vendor: Option<String>,
    /// Serial number of the machine.
    pub serial: Option<String>,
    /// SMBIOS UUID.
    pub machine_uuid: Option<String>,
    /// Primary address, without the prefix length.
    pub primary_ip: Option<String>,
    /// MAC address of the primary interface.
    pub mac: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The switch port that the primary interface is cabled to.
    pub switch_port: Option<InventoryPort>,
}

/// `switch-port = { switch = …, port = …, vlan = … }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InventoryPort {
    /// Name of the switch or of its virtual chassis, without the domain.
    pub switch: String,
    /// Interface of the switch, such as `ge-6/0/1`.
    pub port: String,
    /// Name of the untagged VLAN.
    pub vlan: String,
}

impl InventoryHost {
    pub(crate) fn is_virtual(&self) -> bool {
        self.kind.as_deref() == Some("virtual")
    }

    pub(crate) fn management_fqdn(&self, derived: impl FnOnce() -> String) -> Option<String> {
        match &self.management_fqdn {
            Some(name) => Some(name.clone()),
            None if self.is_virtual() => None,
            None => Some(derived()),
        }
    }
}

impl Inventory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Inventory { path }
    }

    pub(crate) fn read(&self) -> Result<InventoryFile, ConfigError> {
        let text = bounded::read(&self.path, bounded::TABLE)
            .map_err(|error| ConfigError::unreadable(&self.path, error))?;
        toml::from_str(&text).map_err(|error| ConfigError::toml(&self.path, &text, &error))
    }

    /// Names it in faults.
    pub(crate) fn system(&self) -> String {
        format!("inventory {}", self.path.display())
    }

    /// The entry of a host.
    pub(crate) fn entry(&self, host: &str) -> Result<InventoryHost, Fault> {
        let mut file = self.read().map_err(|error| {
            Fault::unreachable("netbox.unreadable", self.system(), error.to_string())
        })?;
        file.hosts.remove(host).ok_or_else(|| {
            Fault::not_found(
                "netbox.not-found",
                self.system(),
                format!(
                    "no entry `[hosts.{host}]` in {}; check the name",
                    self.path.display()
                ),
            )
        })
    }
}
