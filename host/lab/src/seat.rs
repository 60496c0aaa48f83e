//! One host's place in a lab: what its providers stand on.

use crate::machine::Machine;
use crate::pace::Shared;
use crate::world::World;
use std::sync::Arc;
use wreimage_capability::{Call, Fault};

/// The lab, seen from one host.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) shared: Arc<Shared>,
    pub(crate) host: Arc<str>,
}

impl Seat {
    /// Looks at the host's machine.
    pub(crate) fn look<T>(
        &self,
        see: impl FnOnce(&Machine, &World) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let state = self.shared.lock();
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
        deed(&mut state.world, &self.host)
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

fn unknown(world: &World, host: &str) -> Fault {
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
