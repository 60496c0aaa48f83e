//! One host's place in a lab: what its providers stand on.

use crate::machine::Machine;
use crate::pace::{LabClock, Shared};
use crate::service::job::{Job, Kind};
use crate::time::Millis;
use crate::world::World;
use serde::de::DeserializeOwned;
use std::io;
use std::sync::Arc;
use wreimage_capability::{Call, Clock, Fault, Function, Reconciled, from_millis};

/// The lab, seen from one host.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) shared: Arc<Shared>,
    pub(crate) host: Arc<str>,
    /// The task that the run was started for.
    pub(crate) task: Option<Arc<str>>,
}

impl Seat {
    /// Looks at the host's machine.
    pub(crate) fn look<T>(
        &self,
        see: impl FnOnce(&Machine, &World) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut state = self.shared.lock();
        state.keep(false).map_err(not_kept)?;
        match state.world.machine(&self.host) {
            Some(machine) => see(machine, &state.world),
            None => Err(unknown(&state.world, &self.host)),
        }
    }

    /// Does something to the world on behalf of the host, which exists.
    pub(crate) fn change<T>(
        &self,
        deed: impl FnOnce(&mut World, &str) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut state = self.shared.lock();
        if state.world.machine(&self.host).is_none() {
            return Err(unknown(&state.world, &self.host));
        }
        let done = deed(&mut state.world, &self.host);
        state.keep(true).map_err(not_kept)?;
        done
    }

    /// Does something to a service on behalf of the host, if the service answers.
    pub(crate) fn service<T>(
        &self,
        service: &str,
        deed: impl FnOnce(&mut World, &str) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.change(|world, host| {
            world.answers(service)?;
            deed(world, host)
        })
    }

    /// Reads from a service on behalf of the host, if the service answers. In a rehearsal, what `function` answers is marked as
    /// assumed, for the reason `why`, unless the real system was asked before.
    pub(crate) fn read<T>(
        &self,
        call: &Call,
        service: &str,
        (function, why): (&str, &str),
        see: impl FnOnce(&Machine, &World) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut state = self.shared.lock();
        let answers = state.world.answers(service);
        // A fault that the service was given is used up.
        state.keep(answers.is_err()).map_err(not_kept)?;
        answers?;
        let Some(machine) = state.world.machine(&self.host) else {
            return Err(unknown(&state.world, &self.host));
        };
        let seen = see(machine, &state.world)?;
        let assumed = state.world.rehearsal && !machine.told.contains(function);
        drop(state);
        if assumed {
            call.not_previewed(why);
        }
        Ok(seen)
    }

    /// What a piece of work is known by: a repeated call finds it again.
    fn job_key(&self, call: &Call, function: &Function) -> String {
        format!("{}/{function}/{}", self.host, call.key())
    }

    /// Has a piece of work done and waits for its end, in lab time. `start` says how long it takes, `None` for one that
    /// hangs. A repeated call waits for the work that the first one began.
    pub(crate) async fn job<T: DeserializeOwned>(
        &self,
        call: &Call,
        function: &Function,
        kind: Kind,
        timeout: Millis,
        start: impl FnOnce(&mut World, &str) -> Result<Option<Millis>, Fault>,
    ) -> Result<T, Fault> {
        let key = self.job_key(call, function);
        let until = self.change(|world, host| {
            // One whose fate nobody knows is done again: somebody has decided that it shall be.
            let lost =
                |job: &&Job| !matches!(&job.result, Some(Err(fault)) if fault.leaves_doubt());
            let ends = match world.services.jobs.get(&key).filter(lost) {
                Some(job) => job.ends,
                None => {
                    let lasts = start(world, host)?;
                    world.begin(&key, host, kind, lasts)
                }
            };
            Ok(ends.min(world.now.saturating_add(timeout)))
        })?;
        let clock = LabClock::on_behalf(Arc::clone(&self.shared));
        clock.sleep_until(from_millis(until)).await;
        let ended = self.change(|world, _| {
            let job = world.services.jobs.get_mut(&key);
            Ok(job.and_then(|job| {
                job.overdue = job.result.is_none();
                job.result.clone()
            }))
        })?;
        let Some(result) = ended else {
            return Err(Fault::timeout(
                &format!("{}.timeout", function.capability),
                &*self.host,
                format!("{function} did not end within {} s", timeout / 1000),
            ));
        };
        serde_json::from_value(result?)
            .map_err(|error| Fault::other("lab.outcome", "lab", error.to_string()))
    }

    /// What became of a piece of work whose caller got no answer; `None` when it was never begun.
    pub(crate) fn job_verdict(&self, call: &Call, function: &Function) -> Option<Reconciled> {
        let key = self.job_key(call, function);
        let state = self.shared.lock();
        let job = state.world.services.jobs.get(&key)?;
        Some(match &job.result {
            Some(Ok(outcome)) => Reconciled::Happened(outcome.clone()),
            Some(Err(fault)) if fault.leaves_doubt() => Reconciled::Unknown(fault.message.clone()),
            Some(Err(_)) => Reconciled::DidNot,
            None if job.overdue => Reconciled::Unknown("it is still going on".to_owned()),
            // It goes on under the key of this call: calling again waits for it and begins nothing new.
            None => Reconciled::DidNot,
        })
    }

    /// Says that a rehearsal cannot know the answer of `function`, when no real system has given it. Never while the lab is
    /// locked: whoever listens may look at the lab's clock.
    pub(crate) fn mark(&self, call: &Call, function: &str, why: &str) {
        let assumed = {
            let state = self.shared.lock();
            state.world.rehearsal
                && state
                    .world
                    .machine(&self.host)
                    .is_some_and(|machine| !machine.told.contains(function))
        };
        if assumed {
            call.not_previewed(why);
        }
    }
}

fn not_kept(error: io::Error) -> Fault {
    Fault::in_doubt(
        "lab.world",
        "lab",
        format!("the lab's world cannot be written down: {error}"),
    )
}

pub(crate) fn unknown(world: &World, host: &str) -> Fault {
    let near = world.near(host);
    let hint = if near.is_empty() {
        let all: Vec<&str> = world.machines().map(|m| m.name.as_str()).take(20).collect();
        match all.len() {
            0 => "it has none at all".to_owned(),
            _ => format!("it has {}", all.join(", ")),
        }
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    Fault::not_found(
        "netbox.no-device",
        format!("NetBox {}", world.site()),
        format!("site {} has no device named {host}; {hint}", world.site()),
    )
}
