//! The whole data centre at one moment, and what its future holds.

use crate::boot::Turn;
use crate::event::{Event, Queue};
use crate::file;
use crate::history::{History, Line};
use crate::install_server::InstallServer;
use crate::lease::LeaseFolder;
use crate::machine::{Accepts, Counters, Machine};
use crate::service::Services;
use crate::time::{Millis, Times};
use crate::twin;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use wreimage_capability::{from_millis, to_millis};

/// The world file that is built in, comments and all: what `wreimage lab show` prints.
pub const BUILTIN: &str = include_str!("../worlds/lab1.toml");

/// A world file or a saved world that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// A world file is wrong at this place.
    #[error("line {line}: {key}: {message}")]
    File {
        /// Line, from 1.
        line: usize,
        /// The key with its table, such as `machine.host1001.bmc.serial`.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// A saved world cannot be read back.
    #[error("not a saved world: {0}")]
    Saved(String),
}

/// A data centre at one moment of virtual time.
///
/// Its state is a function of the file that it was made from and of what was done to it when: nothing else, no clock and
/// no chance, takes part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct World {
    pub(crate) site: String,
    pub(crate) domain: String,
    pub(crate) now: Millis,
    pub(crate) seed: u64,
    pub(crate) times: Times,
    /// Whether its time is that of the real world.
    pub(crate) real_time: bool,
    /// Whether it stands in for machines that nobody may touch: a twin.
    pub(crate) rehearsal: bool,
    /// Shared with the worlds that this one was copied from or to, until one of them changes a machine.
    pub(crate) machines: BTreeMap<String, Arc<Machine>>,
    pub(crate) server: InstallServer,
    #[serde(default)]
    pub(crate) lease: LeaseFolder,
    pub(crate) services: Services,
    pub(crate) events: Queue,
    pub(crate) history: History,
}

impl World {
    /// The world that is built in: site `lab1` with one machine of each kind of trouble.
    ///
    /// # Errors
    /// None, unless the built-in text itself were wrong, which a test rules out.
    pub fn builtin() -> Result<World, WorldError> {
        World::parse(BUILTIN)
    }

    /// The world that a file describes. [`BUILTIN`] explains every key.
    ///
    /// # Errors
    /// [`WorldError::File`] with line and key.
    pub fn parse(text: &str) -> Result<World, WorldError> {
        file::parse(text)
    }

    /// A site without machines, for a lab that follows real systems: each host is added, healthy, when its inventory has
    /// answered; see [`Lab::follow`](crate::Lab::follow). Every boot path exists.
    pub fn bare(site: &str) -> World {
        twin::bare(site)
    }

    /// The whole state as JSON: clock, machines, pending events, history.
    pub fn save(&self) -> String {
        serde_json::to_string(self)
            // No type in here has a form that JSON lacks. Were it otherwise, `restore` would refuse this text.
            .unwrap_or_else(|error| format!("the world cannot be written down: {error}"))
    }

    /// What [`World::save`] wrote; it goes on from there as if nothing had happened.
    ///
    /// # Errors
    /// [`WorldError::Saved`] when the text is something else.
    pub fn restore(text: &str) -> Result<World, WorldError> {
        serde_json::from_str(text).map_err(|error| WorldError::Saved(error.to_string()))
    }

    /// Name of the site.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The present.
    pub fn now(&self) -> Timestamp {
        from_millis(self.now)
    }

    /// The machines, by short name.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values().map(Arc::as_ref)
    }

    /// The machine of that short name.
    pub fn machine(&self, host: &str) -> Option<&Machine> {
        self.machines.get(host).map(Arc::as_ref)
    }

    /// The machine of that short name, to make it different. What a change causes must be brought about as well: prefer
    /// the world file, or the providers.
    pub fn machine_mut(&mut self, host: &str) -> Option<&mut Machine> {
        self.machines.get_mut(host).map(Arc::make_mut)
    }

    /// The install server.
    pub fn install_server(&self) -> &InstallServer {
        &self.server
    }

    /// The install server, to make it different.
    pub fn install_server_mut(&mut self) -> &mut InstallServer {
        &mut self.server
    }

    /// How long things take.
    pub fn times_mut(&mut self) -> &mut Times {
        &mut self.times
    }

    /// What happened to a machine, as counts; zeros for an unknown one.
    pub fn counters(&self, host: &str) -> Counters {
        self.machine(host)
            .map(|machine| machine.counters)
            .unwrap_or_default()
    }

    /// What happened, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &Line> {
        self.history.lines.iter()
    }

    /// Marks the system on a machine's disk as enrolled: from now on it lets in the site's key only, and the site knows
    /// its host key. The first Puppet run does this.
    pub fn enrol(&mut self, host: &str) {
        if let Some(machine) = self.machines.get_mut(host).map(Arc::make_mut)
            && let Some(system) = &mut machine.disk
        {
            system.accepts = Accepts::Production;
            system.agent.configured = true;
            machine.known_host_key = Some(system.host_key.clone());
            self.history.add(
                self.now,
                host,
                "is enrolled: lets in the production identity only",
            );
        }
    }

    /// Lets time pass until then; what falls due happens in its order. Does nothing for a time that has passed.
    pub fn advance(&mut self, until: Timestamp) {
        self.advance_to(to_millis(until));
    }

    pub(crate) fn advance_to(&mut self, until: Millis) {
        while let Some((at, event)) = self.events.take(until) {
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(until);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::StageEnds { host, generation } => {
                self.act(&host, |machine, turn| {
                    if machine.generation == generation {
                        machine.stage_ends(turn);
                    }
                });
            }
            Event::OverrideForgotten { host, generation } => {
                self.act(&host, |machine, turn| {
                    machine.forget_override(turn, generation)
                });
            }
            Event::JobEnds { key } => self.job_ends(&key),
            Event::SystemUp { host, generation } => {
                if self
                    .machine(&host)
                    .is_some_and(|machine| machine.generation == generation)
                {
                    self.expect_agent(&host);
                    self.expect_debmonitor(&host);
                }
            }
            Event::AgentRan { host, generation } => self.agent_ran(&host, generation),
            Event::ResourceAppears { host, generation } => self.resource_appears(&host, generation),
            Event::DebmonitorFed { host, generation } => self.debmonitor_fed(&host, generation),
            Event::EntryExpires { host, generation } => {
                if self
                    .server
                    .entries
                    .get(&host)
                    .is_some_and(|served| served.generation == generation)
                {
                    self.server.entries.remove(&host);
                    self.history
                        .add(self.now, &host, "its DHCP entry has expired");
                }
            }
        }
    }

    /// Does something to a machine with everything at hand that it may need; `None` when there is no such machine.
    pub(crate) fn act<T>(
        &mut self,
        host: &str,
        deed: impl FnOnce(&mut Machine, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let machine = self.machines.get_mut(host).map(Arc::make_mut)?;
        let mut turn = Turn {
            now: self.now,
            seed: self.seed,
            times: &self.times,
            events: &mut self.events,
            history: &mut self.history,
            server: &self.server,
        };
        Some(deed(machine, &mut turn))
    }

    pub(crate) fn tell(&mut self, host: &str, text: impl Into<String>) {
        self.history.add(self.now, host, text);
    }

    /// Puts the world on the real clock. The first time, everything in it moves so that its present is `now`; a world that
    /// has lived in real time before catches up instead.
    pub(crate) fn move_to_real_time(&mut self, now: Millis) {
        if !self.real_time {
            let from = self.now;
            let shift = |at: Millis| now.saturating_add(at).saturating_sub(from);
            self.events.shift(shift);
            for machine in self.machines.values_mut().map(Arc::make_mut) {
                machine.since = shift(machine.since);
                machine.until = machine.until.map(shift);
                if let Some(boot) = &mut machine.boot {
                    boot.started = shift(boot.started);
                }
                if let Some(restart) = &mut machine.restarted {
                    restart.at = shift(restart.at);
                }
                if let Some(disk) = &mut machine.disk {
                    disk.agent.shift(shift);
                }
            }
            for served in self.server.entries.values_mut() {
                served.expires = shift(served.expires);
            }
            self.lease.booted = shift(self.lease.booted);
            self.lease.created = self.lease.created.map(shift);
            self.services.shift(shift);
            for line in &mut self.history.lines {
                line.at = shift(line.at);
            }
            self.now = now;
            self.real_time = true;
        }
        self.advance_to(now);
    }

    /// Names of machines that look like `host`, best first.
    pub(crate) fn near(&self, host: &str) -> Vec<&str> {
        let mut near: Vec<(usize, &str)> = self
            .machines
            .keys()
            .map(|name| (strsim::damerau_levenshtein(name, host), name.as_str()))
            .filter(|(distance, _)| *distance <= 3)
            .collect();
        near.sort_unstable();
        near.into_iter().take(3).map(|(_, name)| name).collect()
    }
}
