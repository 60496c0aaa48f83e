//! The inventory of packages, which every host feeds by a timer of its own.

use crate::event::Event;
use crate::machine::Stage;
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Known hosts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Debmonitor {
    pub(crate) hosts: BTreeSet<String>,
}

impl World {
    /// Has the next report of the host's timer come as an event, if it would tell anything new.
    pub(crate) fn expect_debmonitor(&mut self, host: &str) {
        if self.services.debmonitor.hosts.contains(host) || !self.reports(host) {
            return;
        }
        if let Some(machine) = self.machines.get(host) {
            let period = self.times.debmonitor_period.max(1);
            let passed = self.now.saturating_sub(machine.since) / period;
            let next = passed.saturating_add(1).saturating_mul(period);
            let event = Event::DebmonitorFed {
                host: host.to_owned(),
                generation: machine.generation,
            };
            self.events.add(machine.since.saturating_add(next), event);
        }
    }

    /// Whether the host's system runs its timers: Puppet installed them, and keeps them as long as it may run.
    fn reports(&self, host: &str) -> bool {
        self.machine(host).is_some_and(|machine| {
            machine.stage == Stage::OsUp
                && machine
                    .disk
                    .as_ref()
                    .is_some_and(|disk| disk.agent.configured && disk.agent.disabled.is_none())
        })
    }

    /// The host's timer has fired.
    pub(crate) fn debmonitor_fed(&mut self, host: &str, generation: u64) {
        let same = self
            .machine(host)
            .is_some_and(|machine| machine.generation == generation);
        if same && self.reports(host) && self.services.debmonitor.hosts.insert(host.to_owned()) {
            self.tell(host, "its timer reports to Debmonitor");
        }
    }

    /// Takes the host out; whether it was in. Its own timer may bring it back.
    pub(crate) fn debmonitor_removes(&mut self, host: &str) -> bool {
        let there = self.services.debmonitor.hosts.remove(host);
        if there {
            self.tell(host, "removed from Debmonitor");
        }
        self.expect_debmonitor(host);
        there
    }
}
