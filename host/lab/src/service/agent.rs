//! The Puppet agent of one system: what it holds, and the timetable of its own runs.
//!
//! Own runs that change nothing are no events: they follow from the timetable whenever somebody asks.

use crate::event::Event;
use crate::machine::{Machine, Stage};
use crate::time::{Millis, Times};
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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

impl Machine {
    pub(crate) fn agent(&self) -> Option<&Agent> {
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
        if let Some(machine) = self.machines.get_mut(host).map(Arc::make_mut) {
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
}
