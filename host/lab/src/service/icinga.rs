//! Monitoring.

use crate::machine::{Machine, Stage};
use crate::time::{Millis, Times};
use crate::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wreimage_capability::Fault;
use wreimage_capability::icinga::{self as wit, HostState, Status};

/// What monitoring checks on every host.
const CHECKS: [&str; 4] = ["SSH", "Disk space", "Check systemd state", AGENT];
/// The check that looks whether the agent succeeded.
const AGENT: &str = "puppet last run";
/// The check of a host that never becomes green.
const BROKEN: &str = "RAID controller";

/// Known hosts, by short name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Icinga {
    pub(crate) hosts: BTreeMap<String, Monitored>,
    pub(crate) odd: BTreeMap<String, Odd>,
}

/// What is odd about the monitoring of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Odd {
    /// It never learns of the host.
    pub(crate) never_known: bool,
    /// One of its checks never succeeds.
    pub(crate) never_green: bool,
    /// It takes a downtime and does not hold it.
    pub(crate) drops_downtimes: bool,
}

/// A host that monitoring knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Monitored {
    /// Since when.
    pub(crate) since: Millis,
    /// When it was last asked to check now.
    pub(crate) rechecked: Option<Millis>,
    pub(crate) downtimes: Vec<Downtime>,
}

/// A downtime of a host and its services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Downtime {
    /// Id of the run that set it.
    pub(crate) owner: String,
    pub(crate) reason: String,
    pub(crate) ends: Millis,
}

impl Icinga {
    pub(crate) fn shift(&mut self, shift: &impl Fn(Millis) -> Millis) {
        for host in self.hosts.values_mut() {
            host.since = shift(host.since);
            host.rechecked = host.rechecked.map(shift);
            for downtime in &mut host.downtimes {
                downtime.ends = shift(downtime.ends);
            }
        }
    }

    /// Takes in the hosts that are exported and forgets those that are not; returns both.
    pub(crate) fn learn<'a>(
        &mut self,
        now: Millis,
        exported: impl Fn(&str) -> bool,
        all: impl Iterator<Item = &'a String>,
    ) -> (Vec<String>, Vec<String>) {
        let gone: Vec<String> = self
            .hosts
            .keys()
            .filter(|host| !exported(host))
            .cloned()
            .collect();
        for host in &gone {
            self.hosts.remove(host);
        }
        let mut new = Vec::new();
        for host in all {
            let hidden = self.odd.get(host).is_some_and(|odd| odd.never_known);
            if exported(host) && !hidden && !self.hosts.contains_key(host) {
                let monitored = Monitored {
                    since: now,
                    ..Monitored::default()
                };
                self.hosts.insert(host.clone(), monitored);
                new.push(host.clone());
            }
        }
        (new, gone)
    }
}

impl Monitored {
    /// A real monitoring has told whether the host is in a downtime.
    pub(crate) fn follow(&mut self, owner: &str, downtimed: bool, now: Millis) {
        let there = self.downtimes.iter().any(|downtime| downtime.ends > now);
        if downtimed && !there {
            self.downtimes.push(Downtime {
                owner: owner.to_owned(),
                reason: String::new(),
                // Nobody has told; longer than any run.
                ends: now.saturating_add(30 * 24 * 3600 * 1000),
            });
        } else if !downtimed {
            self.downtimes.clear();
        }
    }

    /// When its checks saw, or will see, a host that has been well since then.
    fn green_at(&self, well: Millis, times: &Times) -> Millis {
        let from = well.max(self.since);
        let own = from.saturating_add(times.checks);
        match self.rechecked {
            Some(at) if at >= from => own.min(at.saturating_add(times.recheck)),
            _ => own,
        }
    }

    fn status(&self, machine: &Machine, never_green: bool, times: &Times, now: Millis) -> Status {
        let state = match machine.stage {
            Stage::OsUp | Stage::Installer { .. } => HostState::Up,
            _ => HostState::Down,
        };
        let well = machine.well_since(times, now);
        let mut failed: Vec<String> = match well {
            Some(well) if self.green_at(well, times) <= now => Vec::new(),
            // Checks that have not been made since are as bad as failed ones.
            Some(_) => vec![AGENT.to_owned()],
            None if machine.stage == Stage::OsUp => vec![AGENT.to_owned()],
            None => CHECKS.iter().map(|&check| check.to_owned()).collect(),
        };
        if never_green {
            failed.push(BROKEN.to_owned());
        }
        Status {
            optimal: state == HostState::Up && failed.is_empty(),
            state,
            downtimed: self.downtimes.iter().any(|downtime| downtime.ends > now),
            notifications: true,
            failed_services: failed,
            extra: Vec::new(),
        }
    }
}

impl World {
    fn monitored(&mut self, host: &str) -> Result<&mut Monitored, Fault> {
        let system = self.system("icinga");
        self.services.icinga.hosts.get_mut(host).ok_or_else(|| {
            Fault::not_found(
                "icinga.unknown-host",
                system,
                format!("monitoring does not know {host}"),
            )
        })
    }

    /// What monitoring holds of a host that it knows.
    pub(crate) fn monitoring_seen(&self, host: &str) -> Option<Status> {
        let icinga = &self.services.icinga;
        let never_green = icinga.odd.get(host).is_some_and(|odd| odd.never_green);
        let monitored = icinga.hosts.get(host)?;
        Some(match self.machine(host) {
            Some(machine) => monitored.status(machine, never_green, &self.times, self.now),
            None => monitored_nobody(),
        })
    }

    /// What monitoring says of the host.
    pub(crate) fn monitoring(&mut self, host: &str) -> Result<Status, Fault> {
        self.monitored(host)?;
        Ok(self.monitoring_seen(host).unwrap_or_else(monitored_nobody))
    }

    /// The downtimes of the host that hold.
    pub(crate) fn downtimes(&mut self, host: &str) -> Result<Vec<wit::Downtime>, Fault> {
        let now = self.now;
        let monitored = self.monitored(host)?;
        let held = monitored.downtimes.iter().filter(|it| it.ends > now);
        Ok(held
            .map(|downtime| wit::Downtime {
                comment: format!("{} [{}]", downtime.reason, downtime.owner),
                ends_ms: downtime.ends,
                extra: Vec::new(),
            })
            .collect())
    }

    /// Asks for a check now; one that has already seen the host well is not repeated.
    pub(crate) fn recheck(&mut self, host: &str) -> Result<(), Fault> {
        let now = self.now;
        let well = self
            .machine(host)
            .and_then(|machine| machine.well_since(&self.times, now));
        let monitored = self.monitored(host)?;
        let seen = well.is_some_and(|well| {
            monitored
                .rechecked
                .is_some_and(|at| at >= well.max(monitored.since))
        });
        if !seen {
            monitored.rechecked = Some(now);
        }
        Ok(())
    }

    /// Sets a downtime in place of the one of the same owner; it ends no earlier than that one would have.
    pub(crate) fn set_downtime(
        &mut self,
        host: &str,
        owner: &str,
        duration: Millis,
        reason: &str,
    ) -> Result<(), Fault> {
        let system = self.system("icinga");
        if reason.is_empty()
            || reason.len() > 1000
            || reason.contains(';')
            || reason.contains(char::is_control)
        {
            return Err(Fault::rejected(
                "icinga.bad-text",
                system,
                "the reason of a downtime is one line of at most 1000 bytes without `;`",
            ));
        }
        if duration < 60_000 {
            return Err(Fault::rejected(
                "icinga.too-short",
                system,
                "a downtime lasts at least a minute",
            ));
        }
        let dropped = self
            .services
            .icinga
            .odd
            .get(host)
            .is_some_and(|odd| odd.drops_downtimes);
        let now = self.now;
        let monitored = self.monitored(host)?;
        if dropped {
            return Err(Fault::rejected(
                "icinga.downtime-not-held",
                system,
                format!("monitoring took the downtime of {host} and does not show it"),
            ));
        }
        let ours = monitored.downtimes.iter();
        let ends = ours
            .filter(|there| there.owner == owner)
            .map(|there| there.ends)
            .fold(now.saturating_add(duration), Millis::max);
        monitored.downtimes.retain(|there| there.owner != owner);
        monitored.downtimes.push(Downtime {
            owner: owner.to_owned(),
            reason: reason.to_owned(),
            ends,
        });
        self.tell(
            host,
            format!("downtime for {} s: {reason}", (ends - now) / 1000),
        );
        Ok(())
    }

    /// Ends the downtime of that owner; whether there was one that had not run out.
    pub(crate) fn remove_downtime(&mut self, host: &str, owner: &str) -> Result<bool, Fault> {
        let now = self.now;
        let monitored = self.monitored(host)?;
        let there = monitored
            .downtimes
            .iter()
            .any(|downtime| downtime.owner == owner && downtime.ends > now);
        monitored
            .downtimes
            .retain(|downtime| downtime.owner != owner);
        if there {
            self.tell(host, "downtime removed");
        }
        Ok(there)
    }
}

/// The state of a host that no machine is behind.
fn monitored_nobody() -> Status {
    Status {
        state: HostState::Down,
        optimal: false,
        downtimed: false,
        notifications: true,
        failed_services: Vec::new(),
        extra: Vec::new(),
    }
}
