//! The writing side of the inventory: status and custom scripts.

use crate::world::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use wreimage_capability::netbox::{DeviceStatus, ScriptEnd, ScriptLine, ScriptResult};
use wreimage_capability::{Fault, word};

/// The script that copies what Puppet knows of a host into the inventory.
pub(crate) const IMPORT: &str = "import_server_facts.ImportPuppetDB";

/// How scripts end.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Netbox {
    pub(crate) scripts: BTreeMap<String, Script>,
    /// How many jobs have ended.
    pub(crate) jobs: u64,
}

/// How the script ends for a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Script {
    /// As its input says.
    #[default]
    Works,
    /// It fails.
    Fails,
    /// It breaks.
    Errors,
    /// It never ends.
    Hangs,
    /// It completes, and says in its log that it failed.
    LogsFailures,
}

/// Whether a device may go from one status to another (NetBox of the reference site, since 2022-11; the statuses that a
/// reimage meets elsewhere may go back to planned, active or failed).
fn allowed(from: &DeviceStatus, to: &DeviceStatus) -> bool {
    use DeviceStatus::{Active, Decommissioning, Failed, Offline, Planned, Staged};
    match from {
        Planned => matches!(to, Active | Failed | Decommissioning),
        Failed => matches!(to, Offline | Planned | Active | Decommissioning),
        Active => matches!(to, Planned | Failed | Decommissioning),
        Staged => matches!(to, Planned | Active | Failed | Decommissioning),
        Offline => matches!(to, Planned | Failed | Decommissioning),
        Decommissioning => matches!(to, Planned | Offline),
        DeviceStatus::Other(word) => word == "spare" && matches!(to, Planned | Failed),
    }
}

impl World {
    /// Sets the device's status.
    pub(crate) fn set_status(&mut self, host: &str, to: DeviceStatus) -> Result<(), Fault> {
        let system = self.system("netbox");
        let Some(machine) = self.machine_mut(host) else {
            return Ok(());
        };
        let device = &mut machine.inventory.device;
        if device.status == to {
            return Ok(());
        }
        if !allowed(&device.status, &to) {
            return Err(Fault::conflict(
                "netbox.bad-transition",
                system,
                format!(
                    "{host} may not go from {} to {}; set the status by hand",
                    word(&device.status),
                    word(&to)
                ),
            ));
        }
        let text = format!("NetBox status: {} → {}", word(&device.status), word(&to));
        device.status = to;
        self.tell(host, text);
        Ok(())
    }

    /// Where the jobs of a script are seen.
    pub(crate) fn script_location(&self, name: &str) -> String {
        format!("https://netbox.{}/extras/scripts/{name}/jobs/", self.domain)
    }

    /// The script's job has ended.
    pub(crate) fn script_ends(&mut self, host: &str, key: &str) -> Value {
        self.services.netbox.jobs += 1;
        let number = self.services.netbox.jobs;
        let script = self.services.netbox.scripts.get(host).copied();
        let facts = self
            .services
            .puppetdb
            .nodes
            .get(host)
            .and_then(|node| node.facts.get("networking").cloned());
        let line = |level: &str, message: String| ScriptLine {
            level: level.to_owned(),
            message,
        };
        let mut log = vec![line("info", format!("{host}: importing"))];
        let mut end = ScriptEnd::Completed;
        match (script.unwrap_or_default(), facts) {
            (Script::Fails, _) => {
                log.push(line("failure", format!("{host}: switch port is in use")));
                end = ScriptEnd::Failed;
            }
            (Script::Errors, _) => {
                log.push(line(
                    "failure",
                    "An exception occurred: KeyError: 'eno1'".to_owned(),
                ));
                end = ScriptEnd::Errored;
            }
            (_, None) => log.push(line(
                "failure",
                format!("{host}: PuppetDB has no facts of it; skipping"),
            )),
            (Script::LogsFailures, Some(_)) => log.push(line(
                "failure",
                format!("{host}: no LLDP neighbour on eno1"),
            )),
            (Script::Works | Script::Hangs, Some(networking)) => {
                let mac = networking
                    .get("mac")
                    .and_then(Value::as_str)
                    .unwrap_or("none");
                log.push(line(
                    "success",
                    format!("{host}: eno1 has the MAC address {mac}"),
                ));
                log.push(line("success", format!("{host}: done")));
            }
        }
        self.tell(host, format!("NetBox script {IMPORT}: {}", word(&end)));
        let result = ScriptResult {
            end,
            log,
            location: format!(
                "https://netbox.{}/extras/scripts/results/{number}/",
                self.domain
            ),
            extra: vec![("key".to_owned(), key.to_owned())],
        };
        serde_json::to_value(result).unwrap_or(Value::Null)
    }
}
