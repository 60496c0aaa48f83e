//! The lab: a simulated data centre.
//!
//! (The model is explained below once the parts are in place.)

mod bmc;
mod boot;
mod event;
mod file;
mod follow;
mod history;
mod install_server;
mod machine;
mod pace;
mod participants;
mod place;
mod provider;
mod release;
mod seat;
mod snippet;
mod time;
mod twin;
mod world;

pub use bmc::{Answers, Bmc, Override, Quirks};
pub use history::Line;
pub use install_server::{InstallServer, Served, Unwritable};
pub use machine::{
    Accepts, Addresses, Counters, Hardware, Inventory, KernelBoot, Load, Machine, Restart,
    RestartCause, Stage, Starts, System,
};
pub use pace::Pace;
pub use time::{Millis, Times};
pub use world::{BUILTIN, World, WorldError};

use jiff::Timestamp;
use pace::{LabClock, Shared};
use seat::Seat;
use serde_json::Value;
use std::sync::Arc;
use wreimage_capability::{Clock, Function, Providers};

/// A running world: a handle that is cheap to clone; all clones are the same lab.
#[derive(Clone)]
pub struct Lab {
    shared: Arc<Shared>,
}

impl Lab {
    /// Lets a world run at this pace.
    pub fn new(world: World, pace: Pace) -> Lab {
        Lab {
            shared: Arc::new(Shared::new(world, pace)),
        }
    }

    /// A lab for rehearsals: a world with this one host, made from what was read from its real systems so far (function,
    /// arguments, outcome), healthy where nothing was read, on a virtual clock that begins at `start`. It accepts every
    /// boot path. What it cannot judge is marked through [`Call::not_previewed`](wreimage_capability::Call::not_previewed).
    pub fn twin(
        site: &str,
        host: &str,
        reads: &[(&'static Function, Value, Value)],
        start: Timestamp,
    ) -> Lab {
        Lab::new(World::twin(site, host, reads, start), Pace::Full)
    }

    /// Every capability of the lab, bound to this host. For a host that the world does not have, each function answers
    /// `not-found` (code `netbox.no-device`) and names those that are meant, perhaps.
    pub fn providers(&self, host: &str) -> Providers {
        provider::all(&Seat {
            shared: Arc::clone(&self.shared),
            host: host.into(),
        })
    }

    /// The lab's time. Whoever sleeps on it while others take part must have joined; see [`Lab::join`].
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(LabClock {
            shared: Arc::clone(&self.shared),
            owner: None,
        })
    }

    /// Takes part in the lab's time until the guard is dropped: virtual time moves only when every participant sleeps. A
    /// run that is alone need not join.
    pub fn join(&self) -> Participant {
        Participant {
            id: self.shared.participants(participants::Participants::join),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Lets the lab's machine follow a call that succeeded on a real system, on a site where some capabilities are real
    /// and some are the lab's. A host that the lab does not have yet is added when the inventory has answered. Functions
    /// that mean nothing to the lab are ignored.
    pub fn follow(&self, host: &str, function: &Function, arguments: &Value, outcome: &Value) {
        self.shared
            .lock()
            .world
            .follow(host, function, arguments, outcome);
    }

    /// Looks at the world as it is now.
    pub fn look<T>(&self, see: impl FnOnce(&World) -> T) -> T {
        see(&self.shared.lock().world)
    }

    /// Changes the world now, as a scenario does.
    pub fn change<T>(&self, deed: impl FnOnce(&mut World) -> T) -> T {
        deed(&mut self.shared.lock().world)
    }

    /// The whole state as it is now; see [`World::save`].
    pub fn save(&self) -> String {
        self.look(World::save)
    }
}

/// A seat in the lab's time; see [`Lab::join`]. Dropping it lets the others go on.
pub struct Participant {
    shared: Arc<Shared>,
    id: u64,
}

impl Participant {
    /// The lab's time for this participant alone: whether it sleeps is judged by this clock, so nobody else's sleep is
    /// taken for its own. Once asked for, the participant must not sleep on [`Lab::clock`].
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.shared.participants(|all| all.give_clock(self.id));
        Arc::new(LabClock {
            shared: Arc::clone(&self.shared),
            owner: Some(self.id),
        })
    }

    /// Holds nobody up until the guard is dropped: for a wait that the lab knows nothing of, such as a question without a
    /// deadline.
    pub fn idle(&self) -> Idle<'_> {
        self.shared.participants(|all| all.idle(self.id, true));
        Idle { participant: self }
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        self.shared.participants(|all| all.leave(self.id));
    }
}

/// A participant waits for something outside the lab; see [`Participant::idle`].
pub struct Idle<'a> {
    participant: &'a Participant,
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        let participant = self.participant;
        participant
            .shared
            .participants(|all| all.idle(participant.id, false));
    }
}
