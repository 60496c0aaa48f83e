//! What Puppet knows of the hosts.

use crate::event::Event;
use crate::machine::Machine;
use crate::time::Millis;
use crate::world::World;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use wreimage_capability::puppetdb::HostKey;

/// How the exported resource of a host behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exported {
    /// It appears once.
    #[default]
    Once,
    /// It never appears.
    Never,
    /// It appears under two certificate names.
    Twice,
}

/// Known hosts, by short name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PuppetDb {
    pub(crate) nodes: BTreeMap<String, Node>,
    /// Where the exported resource is not as usual.
    pub(crate) exported: BTreeMap<String, Exported>,
    /// How many nodes were ever made: what an event was made for.
    made: u64,
}

/// One active host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Node {
    generation: u64,
    /// Shared with copies of the world.
    pub(crate) facts: Arc<BTreeMap<String, Value>>,
    /// How many `Nagios_host` resources have its name as their title.
    pub(crate) resources: u32,
    /// One is on its way.
    pending: bool,
    /// The SSH host key that its first run exported.
    pub(crate) host_key: Option<String>,
    /// When its facts were stored last.
    #[serde(default)]
    reported: Millis,
}

impl Node {
    /// The SSH keys among its facts, and when they were reported.
    pub(crate) fn host_keys(&self) -> Vec<HostKey> {
        let fingerprint = |key: &Value| {
            key.pointer("/fingerprints/sha256")?
                .as_str()
                .map(str::to_owned)
        };
        let keys = self.facts.get(SSH).and_then(Value::as_object);
        keys.into_iter()
            .flat_map(|keys| keys.values().filter_map(fingerprint))
            .map(|fingerprint| HostKey {
                fingerprint,
                reported_ms: self.reported,
                extra: Vec::new(),
            })
            .collect()
    }

    /// A host that has been known for long.
    pub(crate) fn settled(machine: &Machine) -> Node {
        Node {
            facts: Arc::new(facts(machine)),
            resources: 1,
            host_key: machine.disk.as_ref().map(|disk| disk.host_key.clone()),
            ..Node::default()
        }
    }
}

/// The type of the resource that a host exports for its monitoring.
pub(crate) const EXPORTED: &str = "Nagios_host";

/// The fact with the keys of the SSH server.
const SSH: &str = "ssh";

fn facts(machine: &Machine) -> BTreeMap<String, Value> {
    let device = &machine.inventory.device;
    let domain = device.fqdn.split_once('.').map_or("", |(_, domain)| domain);
    let port = machine.inventory.switch_port.as_ref();
    [
        (
            "networking",
            json!({
                "hostname": machine.name, "domain": domain, "fqdn": device.fqdn, "primary": "eno1",
                "ip": machine.addresses.host.first(), "mac": machine.hardware.mac,
            }),
        ),
        ("net_driver", json!({ "eno1": { "driver": "tg3", "speed": 1000 } })),
        (
            "lldp",
            json!({ "eno1": { "neighbor": port.map(|p| &p.switch_name), "port": port.map(|p| &p.port) } }),
        ),
        (
            SSH,
            json!({ "ed25519": { "fingerprints": { "sha256": machine.disk.as_ref().map(|disk| &disk.host_key) } } }),
        ),
        ("lsbdistcodename", json!(machine.release())),
        ("serialnumber", json!(machine.hardware.serial)),
        ("is_virtual", json!(machine.bmc.is_none())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

impl World {
    /// A catalogue of the host was compiled: its facts are known at once, what it exports a while later.
    pub(crate) fn catalogue(&mut self, host: &str) {
        let Some(machine) = self.machines.get(host) else {
            return;
        };
        let exported = self.services.puppetdb.exported.get(host).copied();
        let enrolled = machine.disk.as_ref().filter(|disk| disk.agent.configured);
        let key = enrolled.map(|disk| disk.host_key.clone());
        let facts = facts(machine);
        let database = &mut self.services.puppetdb;
        let known = database.nodes.contains_key(host);
        if !known {
            database.made += 1;
        }
        let generation = database.made;
        let node = database.nodes.entry(host.to_owned()).or_insert(Node {
            generation,
            ..Node::default()
        });
        node.facts = Arc::new(facts);
        node.reported = self.now;
        if key.is_some() {
            node.host_key = key;
        }
        if node.resources == 0 && !node.pending && exported != Some(Exported::Never) {
            node.pending = true;
            let event = Event::ResourceAppears {
                host: host.to_owned(),
                generation: node.generation,
            };
            let at = self.now.saturating_add(self.times.exported_resource);
            self.events.add(at, event);
        }
        if !known {
            self.tell(host, "is known to PuppetDB");
        }
    }

    /// What a host exports has reached PuppetDB.
    pub(crate) fn resource_appears(&mut self, host: &str, generation: u64) {
        let twice = self.services.puppetdb.exported.get(host) == Some(&Exported::Twice);
        let Some(node) = self.services.puppetdb.nodes.get_mut(host) else {
            return;
        };
        if node.generation == generation && node.pending {
            node.pending = false;
            node.resources = if twice { 2 } else { 1 };
            self.tell(host, format!("{EXPORTED} is in PuppetDB"));
        }
    }

    /// Takes the host out; whether it was in. An agent that may still run brings it back.
    pub(crate) fn deactivate(&mut self, host: &str) -> bool {
        let there = self.services.puppetdb.nodes.remove(host).is_some();
        if there {
            self.tell(host, "is deactivated in PuppetDB");
        }
        self.expect_agent(host);
        there
    }
}
