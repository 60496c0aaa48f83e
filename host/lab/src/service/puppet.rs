//! Puppet's agents: that of each host, that of the controller, that of the monitoring server.

use super::puppet_ca::{Held, fingerprint};
use super::puppetdb::EXPORTED;
use crate::event::Event;
use crate::machine::{Accepts, Machine, Stage};
use crate::time::{Millis, Times};
use crate::world::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use wreimage_capability::Fault;
use wreimage_capability::puppet::AgentRun;

/// The agent of an installed system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Why it may not run, and which run of ours said so.
    pub disabled: Option<Disabled>,
    /// Since when nothing has been in the way of its own runs.
    pub runs_since: Millis,
    /// How many keys it has made.
    pub keys: u64,
    /// Fingerprint of the request that it made last, or of its certificate.
    pub fingerprint: Option<String>,
    /// Whether the authority has a valid certificate for its key.
    pub certified: bool,
    /// Whether its first run succeeded.
    pub configured: bool,
    /// Its last successful run that is not one of its own timetable's.
    pub success: Option<Success>,
    /// When it first succeeded in the present boot, where that is written down.
    pub well: Option<Millis>,
    /// How often it reported.
    pub reports: u64,
}

/// What the agent was disabled with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// The message.
    pub reason: String,
    /// Id of the run that did it; `None` for somebody else.
    pub by: Option<String>,
}

/// A successful run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// Its begin.
    pub began: Millis,
    /// Its end.
    pub ended: Millis,
}

impl Agent {
    /// The agent of a system that was enrolled long ago.
    pub fn settled(fingerprint: Option<String>, since: Millis) -> Agent {
        Agent {
            certified: fingerprint.is_some(),
            fingerprint,
            configured: true,
            well: Some(since),
            ..Agent::default()
        }
    }
}

impl Agent {
    pub(crate) fn shift(&mut self, shift: impl Fn(Millis) -> Millis) {
        // Zero is no time but "always".
        if self.runs_since > 0 {
            self.runs_since = shift(self.runs_since);
        }
        self.well = self.well.map(&shift);
        self.success = self.success.map(|run| Success {
            began: shift(run.began),
            ended: shift(run.ended),
        });
    }
}

/// What is odd about agents, and how often those of the site's servers reported.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Puppet {
    pub(crate) controller_reports: u64,
    pub(crate) monitoring_reports: u64,
    pub(crate) odd: BTreeMap<String, Odd>,
}

/// What is odd about the agent of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Odd {
    /// So many more first runs fail; `u32::MAX` is for ever.
    pub(crate) first_run_fails: u32,
    /// An agent that runs without end keeps it from being disabled.
    pub(crate) cannot_be_disabled: bool,
}

/// How a run ended, as the border has it.
pub(crate) fn ran(status: u32, output: impl Into<String>) -> Value {
    let run = AgentRun {
        status,
        succeeded: status == 0,
        output_tail: output.into(),
        blob: None,
        extra: Vec::new(),
    };
    serde_json::to_value(run).unwrap_or(Value::Null)
}

impl Machine {
    fn agent(&self) -> Option<&Agent> {
        self.disk.as_ref().map(|disk| &disk.agent)
    }

    /// The agent that runs by itself now.
    fn own_agent(&self) -> Option<&Agent> {
        self.agent().filter(|agent| {
            self.stage == Stage::OsUp
                && agent.disabled.is_none()
                && agent.certified
                && agent.configured
        })
    }

    /// The agent's own runs follow a timetable that begins with the boot: the first that may be, by itself.
    fn first_own_run(&self, times: &Times) -> Option<Success> {
        let agent = self.own_agent()?;
        let first = self.since.saturating_add(times.agent_after_boot);
        let missed = agent
            .runs_since
            .saturating_sub(first)
            .div_ceil(times.agent_period.max(1));
        let began = first.saturating_add(missed.saturating_mul(times.agent_period));
        Some(Success {
            began,
            ended: began.saturating_add(times.agent_run),
        })
    }

    fn last_own_run(&self, times: &Times, now: Millis) -> Option<Success> {
        let first = self.first_own_run(times)?;
        let later = now.checked_sub(first.ended)? / times.agent_period.max(1);
        let later = later.saturating_mul(times.agent_period);
        Some(Success {
            began: first.began.saturating_add(later),
            ended: first.ended.saturating_add(later),
        })
    }

    /// When the agent's next own run ends.
    fn next_own_run(&self, times: &Times, now: Millis) -> Option<Millis> {
        let first = self.first_own_run(times)?;
        Some(match self.last_own_run(times, now) {
            None => first.ended,
            Some(last) => last.ended.saturating_add(times.agent_period),
        })
    }

    /// The last successful run.
    pub(crate) fn last_success(&self, times: &Times, now: Millis) -> Option<Success> {
        let told = self.agent()?.success;
        let own = self.last_own_run(times, now);
        own.into_iter().chain(told).max_by_key(|run| run.ended)
    }

    /// Since when the system is up and its agent has succeeded.
    pub(crate) fn well_since(&self, times: &Times, now: Millis) -> Option<Millis> {
        if self.stage != Stage::OsUp {
            return None;
        }
        let own = self.first_own_run(times).map(|run| run.ended);
        own.into_iter()
            .filter(|ended| *ended <= now)
            .chain(self.agent()?.well)
            .min()
    }

    /// Writes down what follows from the timetable, which is about to change.
    pub(crate) fn stamp(&mut self, times: &Times, now: Millis) {
        let (success, well) = (self.last_success(times, now), self.well_since(times, now));
        if let Some(disk) = &mut self.disk {
            disk.agent.success = success;
            disk.agent.well = well;
        }
    }
}

impl World {
    /// Changes an agent; what it has done by then stays done.
    pub(crate) fn agent_changes(&mut self, host: &str, change: impl FnOnce(&mut Agent, Millis)) {
        let now = self.now;
        if let Some(machine) = self.machines.get_mut(host) {
            machine.stamp(&self.times, now);
            if let Some(disk) = &mut machine.disk {
                change(&mut disk.agent, now);
            }
        }
        self.expect_agent(host);
        self.expect_debmonitor(host);
    }

    /// Has the end of the agent's next own run come as an event, if that run would tell PuppetDB anything new.
    pub(crate) fn expect_agent(&mut self, host: &str) {
        if self
            .services
            .puppetdb
            .nodes
            .get(host)
            .is_some_and(|node| node.resources > 0 && node.host_key.is_some())
        {
            return;
        }
        if let Some(machine) = self.machines.get(host)
            && let Some(at) = machine.next_own_run(&self.times, self.now)
        {
            let event = Event::AgentRan {
                host: host.to_owned(),
                generation: machine.generation,
            };
            self.events.add(at, event);
        }
    }

    /// An own run of the agent has ended.
    pub(crate) fn agent_ran(&mut self, host: &str, generation: u64) {
        let ran = self.machines.get(host).is_some_and(|machine| {
            machine.generation == generation
                && machine
                    .last_own_run(&self.times, self.now)
                    .is_some_and(|run| run.ended == self.now)
        });
        if ran {
            self.catalogue(host);
        }
    }

    fn agent_of(&mut self, host: &str) -> Option<&mut Agent> {
        let machine = self.machines.get_mut(host)?;
        machine.disk.as_mut().map(|disk| &mut disk.agent)
    }

    /// The agent has thrown its keys away and asks for a certificate.
    pub(crate) fn agent_requests(&mut self, host: &str) -> Result<String, Fault> {
        let name = self.certificate_name(host);
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
            return Some(format!(
                "Notice: Skipping run of Puppet configuration client; administratively disabled (Reason: '{}');\nUse 'puppet \
                 agent --enable' to re-enable.\n",
                disabled.reason
            ));
        }
        (!agent.certified)
            .then(|| "Exiting; no certificate found and waitforcert is disabled\n".to_owned())
    }

    /// A noop run has ended.
    pub(crate) fn agent_compiles(&mut self, host: &str) -> Value {
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
            Some(agent) if !agent.certified || (agent.disabled.is_some() && !first) => {
                self.times.agent_run
            }
            Some(agent) if agent.configured => self.times.agent_run,
            _ if fails => self.times.first_agent_run / 4,
            _ => self.times.first_agent_run,
        }
    }

    /// A run of the host's agent has ended; the first one allows it to run, too.
    pub(crate) fn agent_runs(&mut self, host: &str, first: bool) -> Value {
        if first && let Some(agent) = self.agent_of(host) {
            agent.disabled = None;
        }
        if let Some(output) = self.no_catalogue(host) {
            return ran(1, output);
        }
        let fresh = self.agent_of(host).is_some_and(|agent| !agent.configured);
        if let Some(agent) = self.agent_of(host) {
            agent.reports += 1;
        }
        if fresh
            && let Some(odd) = self.services.puppet.odd.get_mut(host)
            && odd.first_run_fails > 0
        {
            if odd.first_run_fails < u32::MAX {
                odd.first_run_fails -= 1;
            }
            self.tell(host, "its first Puppet run fails");
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
            if let Some(machine) = self.machines.get_mut(host)
                && let Some(disk) = &mut machine.disk
            {
                disk.accepts = Accepts::Production;
            }
            self.tell(
                host,
                "its first Puppet run has installed the production keys",
            );
            self.expect_debmonitor(host);
        }
        self.catalogue(host);
        ran(0, "Notice: Applied catalog in 37.51 seconds\n")
    }

    /// The controller's agent has run: it knows the host keys that PuppetDB has.
    pub(crate) fn controller_runs(&mut self) -> Value {
        self.services.puppet.controller_reports += 1;
        let mut learned = Vec::new();
        for (host, machine) in &mut self.machines {
            let node = self.services.puppetdb.nodes.get(host);
            let key = node.and_then(|node| node.host_key.clone());
            if machine.known_host_key != key {
                machine.known_host_key = key;
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
