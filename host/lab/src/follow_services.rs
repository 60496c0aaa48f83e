//! The lab's services follow what real ones have answered.

use crate::follow::{argument, read};
use crate::machine::Accepts;
use crate::service::agent::Disabled;
use crate::service::icinga::Monitored;
use crate::service::puppetdb::{EXPORTED, Node};
use crate::world::World;
use serde_json::Value;
use std::sync::Arc;
use wreimage_capability::Function;
use wreimage_capability::conftool::PoolObject;
use wreimage_capability::icinga::Status;
use wreimage_capability::netbox::DeviceStatus;
use wreimage_capability::phabricator::Task;
use wreimage_capability::puppet::{AgentRun, AgentState};
use wreimage_capability::puppet_ca::Certificate;

/// The owner of what stands in for real downtimes: no run.
const SOMEBODY: &str = "somebody";

/// A fingerprint: pairs of digits with colons.
fn fingerprint(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let good = text.len() >= 8
        && text
            .split(':')
            .all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
    good.then(|| text.to_owned())
}

impl World {
    /// Follows a call to a service; `None` when its outcome cannot be read.
    pub(crate) fn follow_service(
        &mut self,
        host: &str,
        function: &Function,
        arguments: &Value,
        outcome: &Value,
    ) -> Option<()> {
        let mut told = function.to_string();
        match function.capability {
            "netbox" => {
                let status: DeviceStatus = argument(arguments, "status")?;
                outcome.is_null().then_some(())?;
                self.machine_mut(host)?.inventory.device.status = status;
            }
            "puppet" => self.follow_puppet(host, function.name, arguments, outcome)?,
            "puppet-ca" => self.follow_authority(host, function.name, arguments, outcome)?,
            "puppetdb" => {
                if function.name == "get-fact" {
                    let name: String = argument(arguments, "name")?;
                    told = format!("{told} {name}");
                    let value: String = read(outcome)?;
                    let value = serde_json::from_str(&value).ok()?;
                    self.knows(host, true);
                    let node = self.services.puppetdb.nodes.get_mut(host)?;
                    Arc::make_mut(&mut node.facts).insert(name, value);
                } else {
                    self.follow_database(host, function.name, arguments, outcome)?;
                }
            }
            "icinga" => self.follow_monitoring(host, function.name, arguments, outcome)?,
            "conftool" => {
                let mut objects: Vec<PoolObject> = read(outcome)?;
                if function.name == "set-pooled" {
                    let value: String = argument(arguments, "value")?;
                    for object in &mut objects {
                        object.pooled.clone_from(&value);
                    }
                }
                self.services
                    .conftool
                    .objects
                    .insert(host.to_owned(), objects);
                told = "conftool.get-objects".to_owned();
            }
            "debmonitor" => {
                outcome.as_bool()?;
                self.debmonitor_removes(host);
            }
            "phabricator" => {
                let task: Task = read(outcome)?;
                let ticket = self.services.phabricator.tasks.entry(task.id);
                let ticket = ticket.or_default();
                ticket.title = task.title;
                ticket.status = task.status;
            }
            _ => return None,
        }
        self.machine_mut(host)?.told.insert(told);
        Some(())
    }

    fn follow_puppet(
        &mut self,
        host: &str,
        name: &str,
        arguments: &Value,
        outcome: &Value,
    ) -> Option<()> {
        match name {
            "get-state" => {
                let state: AgentState = read(outcome)?;
                self.agent_changes(host, |agent, now| {
                    if state.enabled {
                        if agent.disabled.take().is_some() {
                            agent.runs_since = now;
                        }
                    } else {
                        agent.disabled.get_or_insert(Disabled {
                            reason: state.reason.unwrap_or_default(),
                            by: None,
                        });
                    }
                });
            }
            "disable" => {
                let reason: String = argument(arguments, "reason")?;
                outcome.is_null().then_some(())?;
                self.agent_changes(host, |agent, _| {
                    agent.disabled.get_or_insert(Disabled { reason, by: None });
                });
            }
            "enable" => {
                outcome.is_null().then_some(())?;
                let disabled = self.machine(host)?.agent()?.disabled.is_some();
                disabled.then_some(())?;
                self.agent_changes(host, |agent, now| {
                    agent.disabled = None;
                    agent.runs_since = now;
                });
            }
            "request-certificate" => {
                let fingerprint = fingerprint(outcome)?;
                let certificate = Certificate::Requested(fingerprint.clone());
                let name = self.certificate_name(host);
                self.services.puppet_ca.follow(&name, certificate);
                self.agent_changes(host, |agent, _| {
                    agent.fingerprint = Some(fingerprint);
                    agent.certified = false;
                });
            }
            "noop-run" => {
                let run: AgentRun = read(outcome)?;
                if run.succeeded {
                    self.catalogue(host);
                }
            }
            "first-run" | "run" => {
                let run: AgentRun = read(outcome)?;
                if run.succeeded {
                    self.agent_changes(host, |agent, now| {
                        agent.disabled = None;
                        agent.certified = true;
                        agent.configured = true;
                        agent.runs_since = now;
                        agent.well.get_or_insert(now);
                    });
                    if let Some(disk) = &mut self.machine_mut(host)?.disk {
                        disk.accepts = Accepts::Production;
                    }
                    self.catalogue(host);
                }
            }
            "run-on-controller" => {
                read::<AgentRun>(outcome)?;
                self.controller_runs();
            }
            "run-on-monitoring" => {
                read::<AgentRun>(outcome)?;
                self.monitoring_runs();
            }
            _ => return None,
        }
        Some(())
    }

    fn follow_authority(
        &mut self,
        host: &str,
        name: &str,
        arguments: &Value,
        outcome: &Value,
    ) -> Option<()> {
        let certificate = match name {
            "get-certificate" => read(outcome)?,
            "wait-for-request" => Certificate::Requested(fingerprint(outcome)?),
            "sign" => {
                outcome.is_null().then_some(())?;
                Certificate::Signed(argument(arguments, "fingerprint")?)
            }
            "clean" => {
                outcome.as_bool()?;
                self.clean(host);
                return Some(());
            }
            _ => return None,
        };
        let signed = match &certificate {
            Certificate::Signed(fingerprint) => Some(fingerprint.clone()),
            _ => None,
        };
        let full_name = self.certificate_name(host);
        self.services.puppet_ca.follow(&full_name, certificate);
        self.agent_changes(host, |agent, _| {
            // What the old system's agent holds is taken to be what the authority signed.
            agent.certified = signed.is_some();
            if signed.is_some() {
                agent.fingerprint = signed;
            }
        });
        Some(())
    }

    fn follow_database(
        &mut self,
        host: &str,
        name: &str,
        arguments: &Value,
        outcome: &Value,
    ) -> Option<()> {
        match name {
            "is-known" => self.knows(host, outcome.as_bool()?),
            "deactivate" => {
                outcome.as_bool()?;
                self.deactivate(host);
            }
            "wait-for-resource" => {
                let kind: String = argument(arguments, "resource_type")?;
                outcome.is_null().then_some(())?;
                self.catalogue(host);
                let node = self.services.puppetdb.nodes.get_mut(host)?;
                if kind == EXPORTED {
                    node.resources = 1;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// PuppetDB has told whether it knows the host; monitoring that has told nothing goes with it.
    fn knows(&mut self, host: &str, known: bool) {
        let Some(machine) = self.machines.get(host) else {
            return;
        };
        let monitoring_told = machine.told.contains("icinga.get-status");
        let nodes = &mut self.services.puppetdb.nodes;
        if known {
            nodes
                .entry(host.to_owned())
                .or_insert_with(|| Node::settled(machine));
        } else {
            nodes.remove(host);
        }
        if !monitoring_told {
            let hosts = &mut self.services.icinga.hosts;
            if known {
                hosts.entry(host.to_owned()).or_default();
            } else {
                hosts.remove(host);
            }
        }
    }

    fn follow_monitoring(
        &mut self,
        host: &str,
        name: &str,
        arguments: &Value,
        outcome: &Value,
    ) -> Option<()> {
        match name {
            "get-status" | "wait-until-known" | "wait-until-optimal" => {
                let status: Status = read(outcome)?;
                let now = self.now;
                let host_there = self.services.icinga.hosts.entry(host.to_owned());
                let there = host_there.or_insert_with(|| Monitored {
                    since: now,
                    ..Monitored::default()
                });
                there.follow(SOMEBODY, status.downtimed, now);
            }
            "set-downtime" => {
                let duration: u64 = argument(arguments, "duration_ms")?;
                let reason: String = argument(arguments, "reason")?;
                outcome.is_null().then_some(())?;
                self.set_downtime(host, SOMEBODY, duration, &reason).ok()?;
            }
            "remove-downtime" => {
                outcome.as_bool()?;
                self.remove_downtime(host, SOMEBODY).ok()?;
            }
            _ => return None,
        }
        Some(())
    }
}
