//! Puppet's agents: that of each host, that of the controller, that of the monitoring server.

use super::agent::{Agent, Disabled, Success};
use super::puppet_ca::{Held, fingerprint};
use super::puppetdb::EXPORTED;
use crate::machine::{Accepts, Machine};
use crate::services_file::count_down;
use crate::time::Millis;
use crate::world::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use wreimage_capability::Fault;
use wreimage_capability::puppet::AgentRun;

/// What is odd about agents, and how often those of the site's servers reported.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Puppet {
    pub(crate) controller_reports: u64,
    pub(crate) monitoring_reports: u64,
    pub(crate) controller: Agents,
    pub(crate) monitoring: Agents,
    pub(crate) odd: BTreeMap<String, Odd>,
}

/// How the agent of one of the site's servers runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Agents {
    /// With success.
    #[default]
    Works,
    /// Its runs fail and change nothing.
    Fails,
    /// Its runs do not end.
    Hangs,
}

/// What is odd about the agent of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Odd {
    /// So many more first runs fail; `u32::MAX` is for ever.
    pub(crate) first_run_fails: u32,
    /// A first run that fails has put the site's keys into their place by then.
    pub(crate) applies_half: bool,
    /// An agent that runs without end keeps it from being disabled.
    pub(crate) cannot_be_disabled: bool,
}

/// What a run prints that gets no catalogue.
const NO_CATALOGUE: &str = "Error: Could not retrieve catalog from remote server: Error 500 on SERVER\n\
                            Error: Could not retrieve catalog; skipping run\n";

/// What a run prints whose certificate is revoked.
const REVOKED: &str = "Error: Could not retrieve catalog from remote server: SSL_connect returned=1 errno=0 state=error: sslv3 \
                       alert certificate revoked\nError: Could not retrieve catalog; skipping run\n";

/// What an agent prints that was disabled.
fn is_disabled(reason: &str) -> String {
    format!(
        "Notice: Skipping run of Puppet configuration client; administratively disabled (Reason: '{reason}');\nUse 'puppet agent \
         --enable' to re-enable.\n"
    )
}

/// How a run ended, as the border has it.
pub(crate) fn ran(status: u32, output: impl Into<String>) -> Value {
    ran_after(status, output, None)
}

/// How a first run ended, which has enabled an agent that was disabled before.
fn ran_after(status: u32, output: impl Into<String>, was_disabled: Option<&Disabled>) -> Value {
    let was_disabled = was_disabled.map(|it| ("was-disabled".to_owned(), it.reason.clone()));
    let run = AgentRun {
        status,
        succeeded: status == 0,
        output_tail: output.into(),
        blob: None,
        extra: was_disabled.into_iter().collect(),
    };
    serde_json::to_value(run).unwrap_or(Value::Null)
}

impl World {
    fn agent_of(&mut self, host: &str) -> Option<&mut Agent> {
        let machine = self.machines.get_mut(host).map(Arc::make_mut)?;
        machine.disk.as_mut().map(|disk| &mut disk.agent)
    }

    /// The agent has thrown its keys away and asks for a certificate.
    pub(crate) fn agent_requests(&mut self, host: &str) -> Result<String, Fault> {
        let name = self.certificate_name(host);
        let agent = self.machine(host).and_then(Machine::agent);
        if let Some(disabled) = agent.and_then(|agent| agent.disabled.as_ref()) {
            let line = is_disabled(&disabled.reason);
            return Err(Fault::rejected(
                "puppet.disabled",
                name.clone(),
                format!(
                    "the agent of {name} asks for no certificate: {}",
                    line.trim_end()
                ),
            ));
        }
        let installation = self
            .machine(host)
            .and_then(|machine| machine.disk.as_ref())
            .map_or(0, |disk| disk.installation);
        let mut number = 0;
        self.agent_changes(host, |agent, _| {
            agent.keys += 1;
            agent.certified = false;
            number = installation.saturating_mul(1000).saturating_add(agent.keys);
        });
        let made = fingerprint(self.seed, &name, number);
        if let Some(agent) = self.agent_of(host) {
            agent.fingerprint = Some(made.clone());
        }
        let refused = |line: String| {
            Fault::rejected(
                "puppet.certificate-request",
                name.clone(),
                format!("the agent of {name} got no certificate request through: {line}"),
            )
            .with("error", line)
        };
        if let Err(fault) = self.answers("puppet-ca") {
            return Err(refused(format!(
                "Error: Could not request certificate: {}",
                fault.message
            )));
        }
        let authority = &mut self.services.puppet_ca;
        match authority.held.get(&name) {
            None => {}
            Some(Held::Signed(_)) => {
                return Err(refused(
                    "Error: Could not request certificate: The certificate retrieved from the master does not match the \
                     agent's private key."
                        .to_owned(),
                ));
            }
            Some(Held::Requested(_)) => {
                return Err(refused(format!(
                    "Error: Could not request certificate: {name} already has a requested certificate; ignoring certificate \
                     request"
                )));
            }
            Some(Held::Revoked(_)) => {
                return Err(refused(format!(
                    "Error: Could not request certificate: {name} already has a revoked certificate; ignoring certificate \
                     request"
                )));
            }
        }
        let arrives = if authority.forged.contains(host) {
            fingerprint(self.seed, "somebody else", 0)
        } else {
            made.clone()
        };
        authority.held.insert(name, Held::Requested(arrives));
        self.tell(host, "its agent asks for a certificate");
        Ok(made)
    }

    /// What keeps an agent's run from getting a catalogue, as it prints it.
    fn no_catalogue(&self, host: &str) -> Option<String> {
        let agent = self.machine(host)?.agent()?;
        if let Some(disabled) = &agent.disabled {
            return Some(is_disabled(&disabled.reason));
        }
        if agent.certified {
            return None;
        }
        let held = self
            .services
            .puppet_ca
            .held
            .get(&self.certificate_name(host));
        Some(match held {
            Some(Held::Revoked(of)) if agent.fingerprint.as_ref() == Some(of) => REVOKED.to_owned(),
            _ => "Exiting; no certificate found and waitforcert is disabled\n".to_owned(),
        })
    }

    /// A noop run has ended.
    pub(crate) fn agent_compiles(&mut self, host: &str) -> Value {
        self.autosign(host);
        if let Some(output) = self.no_catalogue(host) {
            return ran(1, output);
        }
        if let Some(agent) = self.agent_of(host) {
            agent.reports += 1;
        }
        self.catalogue(host);
        ran(0, "Notice: Applied catalog in 21.04 seconds (noop)\n")
    }

    /// How long a run of the host's agent takes.
    pub(crate) fn agent_takes(&self, host: &str, first: bool) -> Millis {
        let agent = self.machine(host).and_then(Machine::agent);
        let fails = self
            .services
            .puppet
            .odd
            .get(host)
            .is_some_and(|odd| odd.first_run_fails > 0);
        match agent {
            Some(agent)
                if !(agent.certified || self.services.puppet_ca.autosign)
                    || (agent.disabled.is_some() && !first) =>
            {
                self.times.agent_run
            }
            Some(agent) if agent.configured => self.times.agent_run,
            _ if fails => self.times.first_agent_run / 4,
            _ => self.times.first_agent_run,
        }
    }

    /// A run of the host's agent has ended; the first one allows it to run, too.
    pub(crate) fn agent_runs(&mut self, host: &str, first: bool) -> Value {
        let was_disabled = match self.agent_of(host) {
            Some(agent) if first => agent.disabled.take(),
            _ => None,
        };
        let ran = |status, output: &str| ran_after(status, output, was_disabled.as_ref());
        self.autosign(host);
        if let Some(output) = self.no_catalogue(host) {
            return ran(1, &output);
        }
        let fresh = self.agent_of(host).is_some_and(|agent| !agent.configured);
        if let Some(agent) = self.agent_of(host) {
            agent.reports += 1;
        }
        if fresh
            && let Some(odd) = self.services.puppet.odd.get_mut(host)
            && count_down(&mut odd.first_run_fails)
        {
            let half = odd.applies_half;
            self.tell(host, "its first Puppet run fails");
            if half {
                self.install_keys(host);
                self.catalogue(host);
            }
            return ran(
                1,
                "Error: /Stage[main]/Raid/Exec[raid-check]: Could not evaluate: timed out\nNotice: Applied catalog in 412.88 \
                 seconds\n",
            );
        }
        let takes = self.times.agent_run;
        self.agent_changes(host, |agent, now| {
            agent.success = Some(Success {
                began: now.saturating_sub(takes),
                ended: now,
            });
            agent.well = agent.well.or(Some(now));
            if !agent.configured {
                agent.configured = true;
                agent.runs_since = now;
            }
        });
        if fresh {
            self.install_keys(host);
            self.expect_debmonitor(host);
        }
        self.catalogue(host);
        ran(0, "Notice: Applied catalog in 37.51 seconds\n")
    }

    /// From here on the host lets in the site's key, and the installer's no more.
    fn install_keys(&mut self, host: &str) {
        if let Some(machine) = self.machines.get_mut(host).map(Arc::make_mut)
            && let Some(disk) = &mut machine.disk
        {
            disk.accepts = Accepts::Production;
        }
        self.tell(
            host,
            "its first Puppet run has installed the production keys",
        );
    }

    /// The controller's agent has run: it knows the host keys that PuppetDB has.
    pub(crate) fn controller_runs(&mut self) -> Value {
        self.services.puppet.controller_reports += 1;
        if self.services.puppet.controller == Agents::Fails {
            return ran(1, NO_CATALOGUE);
        }
        let mut learned = Vec::new();
        for (host, machine) in &mut self.machines {
            let node = self.services.puppetdb.nodes.get(host);
            let key = node.and_then(|node| node.host_key.clone());
            if machine.known_host_key != key {
                Arc::make_mut(machine).known_host_key = key;
                learned.push(host.clone());
            }
        }
        for host in learned {
            let known = self
                .machine(&host)
                .is_some_and(|m| m.known_host_key.is_some());
            self.tell(
                &host,
                if known {
                    "the controller learns its host key"
                } else {
                    "the controller forgets its host key"
                },
            );
        }
        ran(0, "Notice: Applied catalog in 18.20 seconds\n")
    }

    /// The monitoring server's agent has run: it knows the hosts whose resource PuppetDB has, and no others.
    pub(crate) fn monitoring_runs(&mut self) -> Value {
        self.services.puppet.monitoring_reports += 1;
        if self.services.puppet.monitoring == Agents::Fails {
            return ran(1, NO_CATALOGUE);
        }
        let now = self.now;
        let (database, icinga) = (&self.services.puppetdb, &mut self.services.icinga);
        let (new, gone) = icinga.learn(
            now,
            |host| {
                database
                    .nodes
                    .get(host)
                    .is_some_and(|node| node.resources > 0)
            },
            self.machines.keys(),
        );
        for host in new {
            self.tell(&host, format!("monitoring learns of it by its {EXPORTED}"));
        }
        for host in gone {
            self.tell(&host, "monitoring forgets it");
        }
        ran(0, "Notice: Applied catalog in 95.02 seconds\n")
    }
}
