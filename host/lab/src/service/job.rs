//! Work that takes its time: runs of Puppet's agents, scripts of NetBox. It goes on whoever waits for it.

use crate::event::Event;
use crate::machine::Stage;
use crate::time::Millis;
use crate::world::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wreimage_capability::Fault;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The host's agent asks for a certificate.
    Request,
    /// The host's agent compiles its catalogue.
    Noop,
    /// The host's agent runs for the first time.
    First,
    /// The host's agent runs.
    Run,
    /// The controller's agent runs.
    Controller,
    /// The monitoring server's agent runs.
    Monitoring,
    /// NetBox runs its script for the host.
    Script,
}

impl Kind {
    /// Whether it runs on the host itself, and dies with its system.
    fn on_host(self) -> bool {
        matches!(self, Kind::Request | Kind::Noop | Kind::First | Kind::Run)
    }

    /// Whether two of them cannot be at the same time: one agent on one machine.
    fn excludes(self, host: &str, other: &Job) -> bool {
        match self {
            Kind::Script => false,
            Kind::Controller | Kind::Monitoring => self == other.kind,
            _ => other.kind.on_host() && other.host == host,
        }
    }
}

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) host: String,
    pub(crate) kind: Kind,
    /// When it ends; the end of time for one that hangs.
    pub(crate) ends: Millis,
    /// The boot that it runs in.
    boot: Option<String>,
    /// What came of it, once it has ended.
    pub(crate) result: Option<Result<Value, Fault>>,
    /// Somebody has given up waiting for it.
    pub(crate) overdue: bool,
}

impl World {
    /// When a run of this kind ends that is yet to begin: whoever asks for a run of the site's agents by now is served by it
    /// as well.
    fn shared(&self, kind: Kind, lasts: Millis) -> Option<Millis> {
        if !matches!(kind, Kind::Controller | Kind::Monitoring) {
            return None;
        }
        let waiting = self.services.jobs.values().filter(|job| {
            job.kind == kind
                && job.result.is_none()
                && job.ends < Millis::MAX
                && job.ends > self.now.saturating_add(lasts)
        });
        waiting.map(|job| job.ends).min()
    }

    /// Begins a piece of work under a key, behind others of its kind; returns when it ends. With `None` it hangs.
    pub(crate) fn begin(
        &mut self,
        key: &str,
        host: &str,
        kind: Kind,
        lasts: Option<Millis>,
    ) -> Millis {
        let free = self
            .services
            .jobs
            .values()
            .filter(|job| job.result.is_none() && kind.excludes(host, job))
            .map(|job| job.ends)
            .max()
            .unwrap_or(0);
        let ends = match lasts {
            Some(lasts) => self
                .shared(kind, lasts)
                .unwrap_or_else(|| self.now.max(free).saturating_add(lasts)),
            None => Millis::MAX,
        };
        if ends < Millis::MAX {
            self.events.add(
                ends,
                Event::JobEnds {
                    key: key.to_owned(),
                },
            );
        }
        let boot = self
            .machine(host)
            .filter(|_| kind.on_host())
            .and_then(|machine| machine.boot_id().map(str::to_owned));
        self.services.jobs.insert(
            key.to_owned(),
            Job {
                host: host.to_owned(),
                kind,
                ends,
                boot,
                result: None,
                overdue: false,
            },
        );
        ends
    }

    /// A piece of work has come to its end: its effects are there from now on.
    pub(crate) fn job_ends(&mut self, key: &str) {
        let Some(job) = self.services.jobs.get(key) else {
            return;
        };
        let (host, kind) = (job.host.clone(), job.kind);
        let alive = !kind.on_host()
            || self.machine(&host).is_some_and(|machine| {
                machine.stage == Stage::OsUp && machine.boot_id() == job.boot.as_deref()
            });
        let result = if !alive {
            Err(Fault::in_doubt(
                "puppet.connection-lost",
                host.clone(),
                format!("{host} went down while its Puppet agent ran"),
            ))
        } else {
            match kind {
                Kind::Request => self.agent_requests(&host).map(Value::from),
                Kind::Noop => Ok(self.agent_compiles(&host)),
                Kind::First => Ok(self.agent_runs(&host, true)),
                Kind::Run => Ok(self.agent_runs(&host, false)),
                Kind::Controller => Ok(self.controller_runs()),
                Kind::Monitoring => Ok(self.monitoring_runs()),
                Kind::Script => Ok(self.script_ends(&host, key)),
            }
        };
        if let Some(job) = self.services.jobs.get_mut(key) {
            job.result = Some(result);
        }
    }
}
