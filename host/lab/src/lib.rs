//! The lab: a simulated data centre in which effects have causes.
//!
//! A [`World`] is everything at one moment: machines, their BMCs and disks, the inventory and the resolver, the DHCP entries
//! that the install server serves, and the events that are to come. A [`Lab`] lets a world run: it keeps its clock and
//! serves every capability that has a provider for any of its hosts. Nothing in it knows what a
//! reimage is. A machine is installed because it was told to boot from the network, because the switch put the right
//! circuit-id into its request, because an entry for that circuit-id was being served at that moment, and because the boot
//! path led somewhere. Take one of these away and it boots its disk, as a real one does.
//!
//! # A machine
//!
//! ```text
//!            power on/cycle                 override: network            served, boot path exists
//!   off ─────────────────────▶ POST ─────────────────────▶ network boot ─────────────────────▶ installer starts
//!                               ▲ │                             │ nothing served: PXE timeout        │
//!                               │ │ none, disk, wrong firmware  │                                    ▼
//!                  restart      │ └─────────────▶ disk ◀────────┘                            installer up: wipes the
//!            ┌──────────────────┤                  │ │ empty, or boot entry lost             disk, installs
//!            │                  │                  │ └──────────────▶ nothing bootable             │
//!        going down ◀── reboot ─┼── system up ◀── system starts                                   │
//!            ▲                                                                                    │
//!            └────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! - The **boot override** is read, and with a healthy BMC used up, when POST ends. A BMC may keep it, forget it when no
//!   restart came in time, or not take it at all. An override of the other kind than the firmware is ignored, and so is a
//!   boot loader of the other kind. On UEFI some firmware loses the new system's boot entry when the override is touched
//!   while the installer runs.
//! - **DHCP is asked once**, when POST ends. An entry is found by what the machine really sends: the circuit-id of the port
//!   where it is plugged in, its MAC or its UUID; the inventory may have another one. An entry that nobody withdraws expires.
//! - **SSH** lets in who has the key: the installer only the installer identity; a fresh system the same; an enrolled one
//!   only the production identity, and that identity checks the host key first. While a system goes down it first answers
//!   nonsense and then refuses connections; while it comes up, the other way round. Off, POST and network boot are silent.
//! - A **boot id** is new with each kernel. It and the host keys follow from the seed of the world, the machine and a count.
//!
//! # The systems around it
//!
//! - The **certificate authority** has a request only after the agent made one, takes no second one, and signs only the
//!   fingerprint that it is told. Without a certificate an agent gets no catalogue.
//! - A **catalogue** makes the host known to PuppetDB at once, and a while later its exported resource appears there. The
//!   **first run** lets in the production identity and no longer the installer's; the **controller** learns the new host key,
//!   and **monitoring** the host, only by a run of their own agents after that. Monitoring's checks see a host that is well at
//!   their own pace.
//! - An enrolled system's agent and its Debmonitor timer run by themselves: a host that is removed while they may run comes
//!   back.
//! - What **takes its time** (runs of agents, scripts of NetBox) goes on whoever waits for it, and is known by the key of its
//!   call.
//!
//! # Time
//!
//! A world's state at a time follows from its file and from what was done to it when: there is no chance in it and no other
//! clock. Events happen in the order of time, those of one moment in the order in which they were caused. Virtual time
//! moves only while every participant sleeps, to the earliest due time: at once with [`Pace::Full`], slowly enough to watch
//! with [`Pace::Speed`]. With [`Pace::Real`] the world lives in the time of the system.
//!
//! [`World::save`] writes out everything, pending events included, and [`World::restore`] goes on from there as if nothing
//! had happened. [`World::history`] tells in words what happened, [`World::counters`] how often.
//!
//! # Three uses
//!
//! - To try a guest: [`World::builtin`] or a file of one's own ([`World::parse`]; [`BUILTIN`] explains every key).
//! - To rehearse a run on a real machine: [`Lab::twin`] makes a world with that one host from what was read so far. What it
//!   cannot judge it says.
//! - To do without some systems: on a site where some capabilities are real and some are the lab's, [`Lab::follow`] keeps
//!   the lab's machine in step with the real one.
//!
//! ```
//! use wreimage_capability::{Call, Polled, ipmi};
//! use wreimage_lab::{Lab, Pace, World};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let lab = Lab::new(World::builtin()?, Pace::Full);
//! let bmc = lab.providers("host1001").get("ipmi").ok_or("no such capability")?;
//! let cycle = serde_json::json!({ "action": "Cycle" });
//! let answer = bmc.perform(&Call::alone(), &ipmi::functions::set_power, &cycle).await;
//! assert_eq!(answer, Ok(Polled::Ready(serde_json::Value::Null)));
//! let clock = lab.clock();
//! clock.sleep_until(clock.now() + jiff::SignedDuration::from_mins(5)).await;
//! for line in lab.look(|world| world.history().cloned().collect::<Vec<_>>()) {
//!     println!("{line}"); // 2026-01-05T08:00:00Z host1001 power cycle by BMC ...
//! }
//! assert_eq!(lab.look(|world| world.counters("host1001").power_cycles), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where things are
//!
//! `world` is the state and its clockwork, `machine` what a machine is, `boot` how it goes from stage to stage, `bmc` and
//! `install_server` the two systems with a will of their own, `service/` the systems around them, one file a service, `provider/` one file a capability, `file`, `table`, `services_file` and `place` the
//! world file, `pace` and `participants` the clock, `twin`, `follow` and `follow_services` the worlds that stand in for real machines. A new service
//! is state in `service/`, its events in `event`, and a provider.

mod bmc;
mod boot;
mod event;
mod file;
mod follow;
mod follow_services;
mod half;
mod history;
mod install_server;
mod kept;
mod lease;
mod machine;
mod named;
mod pace;
mod participants;
mod place;
mod provider;
mod release;
mod seat;
mod service;
mod services_file;
mod situation;
mod snippet;
mod table;
mod time;
mod twin;
mod world;

pub use bmc::{Answers, Bmc, Override, Quirks};
pub use history::Line;
pub use install_server::{InstallServer, Served, Unwritable};
pub use kept::KeptError;
pub use lease::{KeptClaim, LabLease, LeaseFolder};
pub use machine::{
    Accepts, Addresses, Counters, Hardware, Inventory, KernelBoot, Load, Machine, Restart,
    RestartCause, Stage, Starts, System,
};
pub use pace::Pace;
pub use service::agent::{Agent, Disabled, Success};
pub use service::phabricator::Comment;
pub use situation::Situation;
pub use time::{Millis, Times};
pub use world::{BUILTIN, World, WorldError};

use jiff::Timestamp;
use pace::{LabClock, Shared};
use seat::Seat;
use serde_json::Value;
use std::path::Path;
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
            shared: Arc::new(Shared::new(world, pace, None)),
        }
    }

    /// Lets the world of a directory run, which outlives this process, even one that is killed. A directory without a world
    /// begins with what `fresh` makes. No other process may use it meanwhile.
    ///
    /// # Errors
    /// When the directory is in use, holds something else, or cannot be written.
    pub fn kept(
        folder: &Path,
        fresh: impl FnOnce() -> World,
        pace: Pace,
    ) -> Result<Lab, KeptError> {
        let (kept, world) = kept::Kept::open(folder)?;
        let shared = Shared::new(world.unwrap_or_else(fresh), pace, Some(kept));
        let first = shared.lock().keep(true);
        first.map_err(|source| KeptError::Io {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Lab {
            shared: Arc::new(shared),
        })
    }

    /// The world of a directory as it was written down last, to look at: another process may own it, and nothing that is
    /// done to this copy is kept. `None` when the directory has no world.
    ///
    /// # Errors
    /// When the directory holds something else, or cannot be read.
    pub fn seen(folder: &Path) -> Result<Option<Lab>, KeptError> {
        let world = kept::Kept::read(folder)?;
        Ok(world.map(|world| Lab::new(world, Pace::Full)))
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

    /// Has the certificate authority sign every request at once: what a site without a `puppet-ca` does.
    pub fn autosign(&self) {
        self.shared.lock().world.services.puppet_ca.autosign = true;
    }

    /// Every capability of the lab, bound to this host. For a host that the world does not have, each function answers
    /// `not-found` (code `netbox.no-device`) and names those that are meant, perhaps.
    pub fn providers(&self, host: &str) -> Providers {
        self.providers_for(host, None)
    }

    /// The same for a run that was started for a task, such as `T12345`.
    pub fn providers_for(&self, host: &str, task: Option<&str>) -> Providers {
        provider::all(&Seat {
            shared: Arc::clone(&self.shared),
            host: host.into(),
            task: task.map(Into::into),
        })
    }

    /// The lab's time. Whoever sleeps on it while others take part must have joined; see [`Lab::join`].
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(LabClock {
            shared: Arc::clone(&self.shared),
            owner: None,
            on_behalf: false,
        })
    }

    /// The leases on the lab's hosts, which live on its install server. It renews the claims that are kept with it, and its
    /// uptime is the lab's time.
    pub fn lease(&self) -> Arc<LabLease> {
        Arc::new(LabLease {
            shared: Arc::clone(&self.shared),
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

    /// Looks at the world as it is now. The lab is locked meanwhile: `see` must not use it in another way.
    pub fn look<T>(&self, see: impl FnOnce(&World) -> T) -> T {
        see(&self.shared.lock().world)
    }

    /// Changes the world now, as a scenario does. The lab is locked meanwhile: `deed` must not use it in another way.
    pub fn change<T>(&self, deed: impl FnOnce(&mut World) -> T) -> T {
        deed(&mut self.shared.lock().world)
    }

    /// Creates the lease folder of the install server, and writes the world down; false when there is one.
    ///
    /// # Errors
    /// When the world cannot be written down.
    pub fn create_lease_folder(&self) -> std::io::Result<bool> {
        let mut state = self.shared.lock();
        if state.world.lease_folder().created.is_some() {
            return Ok(false);
        }
        state.world.create_lease_folder();
        state.keep(true)?;
        Ok(true)
    }

    /// Writes the world down as it is now, where it is kept.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_down(&self) -> std::io::Result<()> {
        self.shared.lock().keep(true)
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
            on_behalf: false,
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
