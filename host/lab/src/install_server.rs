//! The install server: which DHCP entries it serves now, and which boot paths exist.

use crate::machine::{Load, Machine};
use crate::snippet::{self, BootServer, Match};
use crate::time::Millis;
use crate::twin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wreimage_capability::dhcp::{Entry, MatchKind, Published, Release};
use wreimage_capability::netbox::DeviceKind;
use wreimage_capability::word;

/// An entry that is being served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Served {
    /// What was asked for; `None` for a text that came from outside the lab, whose boot path nobody has read.
    pub entry: Option<Entry>,
    /// As the server has it.
    pub published: Published,
    /// Which run made it; `None` when it came from outside the lab. An answer that was lost does not make it another's.
    #[serde(default)]
    pub run: Option<String>,
    /// When the server drops it by itself.
    pub expires: Millis,
    /// Which publication this is: an expiry made for an older one is void.
    pub generation: u64,
}

/// Why an entry cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwritable {
    /// The inventory lacks this.
    Lacks(&'static str),
    /// A way of matching or booting that the site does not have.
    Unsupported(String),
}

/// Each distribution with all boot media.
pub(crate) fn releases(distributions: &[String], media: &[String]) -> Vec<Release> {
    let release = |distribution: &String| Release {
        distribution: distribution.clone(),
        media: media.to_vec(),
        extra: Vec::new(),
    };
    distributions.iter().map(release).collect()
}

/// The install server of the site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstallServer {
    /// Whether it answers at all.
    pub reachable: bool,
    /// So many more times it refuses the configuration that it is given.
    pub rejects: u32,
    /// Name of the server with the boot files.
    pub boot_server: String,
    /// Its address.
    pub boot_address: String,
    /// Releases that can be installed.
    pub distributions: Vec<String>,
    /// Boot media that exist.
    pub media: Vec<String>,
    /// What its list of releases names, where that is not what it has.
    #[serde(default)]
    pub lists: Option<Vec<Release>>,
    /// What boot paths install instead of the release that they name: a mirror that serves the wrong one.
    pub installs: BTreeMap<String, String>,
    /// A twin does not know what the real server has: every boot path exists.
    pub any_boot_path: bool,
    /// Entries by short host name.
    pub entries: BTreeMap<String, Served>,
    /// Publications so far.
    pub publications: u64,
}

impl InstallServer {
    /// Whether a boot path leads anywhere.
    pub fn has(&self, load: &Load) -> bool {
        self.any_boot_path
            || (self.distributions.contains(&load.distribution) && self.media.contains(&load.media))
    }

    /// The releases that it lists; `None` for a twin that was not given them.
    pub fn releases(&self) -> Option<Vec<Release>> {
        match &self.lists {
            Some(lists) => Some(lists.clone()),
            None if self.any_boot_path => None,
            None => Some(releases(&self.distributions, &self.media)),
        }
    }

    /// The release that a boot path installs.
    pub fn release(&self, load: &Load) -> String {
        let installed = self.installs.get(&load.distribution);
        installed.unwrap_or(&load.distribution).clone()
    }

    /// The entry that answers this machine, whoever's it is, and by what it was recognised.
    pub fn answer(&self, machine: &Machine) -> Option<(&Served, &'static str)> {
        let hardware = &machine.hardware;
        self.entries.values().find_map(|served| {
            let is = |told: &Option<String>| told.as_ref() == Some(&served.published.matches);
            let by = match served.entry.as_ref().map(|entry| &entry.match_by) {
                Some(MatchKind::CircuitId) if is(&hardware.circuit_id) => "circuit-id",
                Some(MatchKind::Mac) if is(&hardware.mac) => "MAC",
                Some(MatchKind::Uuid) if is(&hardware.uuid) => "UUID",
                _ => return None,
            };
            Some((served, by))
        })
    }

    /// What publishing `entry` for a machine writes; the inventory fills in the values.
    ///
    /// # Errors
    /// When the inventory lacks a value, or the site cannot do what is asked.
    pub fn write(&self, machine: &Machine, entry: &Entry) -> Result<Published, Unwritable> {
        let device = &machine.inventory.device;
        let address = device
            .primary_ip
            .as_deref()
            .ok_or(Unwritable::Lacks("primary address"))?;
        let circuit_id;
        let (matches, value) = match &entry.match_by {
            MatchKind::CircuitId => {
                let port = machine
                    .inventory
                    .switch_port
                    .as_ref()
                    .ok_or(Unwritable::Lacks("switch port"))?;
                circuit_id = twin::circuit_id(port);
                (Match::CircuitId(&circuit_id), circuit_id.as_str())
            }
            MatchKind::Mac => {
                let mac = device
                    .mac
                    .as_deref()
                    .ok_or(Unwritable::Lacks("MAC address"))?;
                (Match::Mac(mac), mac)
            }
            MatchKind::Uuid => {
                let uuid = device
                    .machine_uuid
                    .as_deref()
                    .ok_or(Unwritable::Lacks("machine UUID"))?;
                (Match::Uuid(uuid), uuid)
            }
            MatchKind::Other(kind) => {
                return Err(Unwritable::Unsupported(format!("matching by `{kind}`")));
            }
        };
        let server = BootServer {
            name: &self.boot_server,
            address: &self.boot_address,
        };
        let text = snippet::render(&machine.name, matches, address, entry, server)
            .ok_or_else(|| Unwritable::Unsupported(format!("boot method {}", word(&entry.boot))))?;
        let console = if device.kind == DeviceKind::Virtual {
            "ttyS0"
        } else {
            "ttyS1"
        };
        Ok(Published {
            location: format!("{console}-115200/{}.conf", machine.name),
            digest: snippet::digest(&text),
            matches: value.to_owned(),
            text,
            extra: Vec::new(),
        })
    }
}
