//! The guest's part of a run: an instance that sees only what is granted, and how it ended.

use crate::engine::Engine;
use crate::gate::{Course, GuestGate};
use crate::guest::{Guest, explain};
use crate::limits::{Bounds, Limits};
use crate::stop::Stop;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{CallHook, Store};
use wreimage_capability::bindings::Reimager;
use wreimage_capability::guest as wit;
use wreimage_capability::{Border, Fault, FaultKind};
use wreimage_journal::GuestEnd;

/// How long a cancelled guest has to come to its end.
const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// How the guest's part ended.
pub(crate) enum Ended {
    Returned(wit::Outcome),
    Faulted(Fault),
    Trapped(String),
    Stopped(Stop),
    Cancelled,
}

impl Ended {
    /// Whether the run only waits: nothing is taken back. A record that cannot be kept is a reason to wait when another
    /// process can go on from it.
    pub(crate) fn is_pause(&self, resumable: bool) -> bool {
        match self {
            Ended::Stopped(Stop::Record(_)) => resumable,
            Ended::Stopped(stop) => stop.is_pause(),
            _ => false,
        }
    }

    /// In a few words.
    pub(crate) fn word(&self) -> &str {
        match self {
            Ended::Returned(_) | Ended::Faulted(_) => "it returns",
            Ended::Trapped(trap) => trap,
            Ended::Stopped(_) | Ended::Cancelled => "it is stopped",
        }
    }

    /// In the words of a record.
    pub(crate) fn record(&self) -> GuestEnd {
        match self {
            Ended::Returned(outcome) => {
                GuestEnd::Returned(serde_json::to_value(outcome).unwrap_or_default())
            }
            Ended::Faulted(fault) => GuestEnd::Faulted(fault.clone()),
            Ended::Trapped(trap) => GuestEnd::Trapped(trap.clone()),
            Ended::Stopped(stop) => GuestEnd::Stopped(stop.word().to_owned(), stop.to_string()),
            Ended::Cancelled => GuestEnd::Cancelled,
        }
    }

    pub(crate) fn from_record(end: GuestEnd) -> Self {
        match end {
            GuestEnd::Returned(value) => match serde_json::from_value(value) {
                Ok(outcome) => Ended::Returned(outcome),
                Err(error) => Ended::Trapped(format!("its outcome cannot be read: {error}")),
            },
            GuestEnd::Faulted(fault) => Ended::Faulted(fault),
            GuestEnd::Trapped(trap) => Ended::Trapped(trap),
            GuestEnd::Stopped(word, text) => Ended::Stopped(Stop::from_word(&word, text)),
            GuestEnd::Cancelled => Ended::Cancelled,
        }
    }
}

/// What the store of an instance holds.
pub(crate) struct Cell {
    border: Border,
    bounds: Bounds,
    /// Calls answered when fuel was last given.
    refuelled_at: u64,
}

/// A fresh instance that sees only what is granted.
pub(crate) async fn instantiate(
    engine: &Engine,
    guest: &Guest,
    course: &Arc<Course>,
    limits: Limits,
) -> wasmtime::Result<(Store<Cell>, Reimager)> {
    let mut linker: Linker<Cell> = Linker::new(&engine.wasm);
    wreimage_capability::link_types(&mut linker, |cell| &mut cell.border)?;
    for import in guest.all_imports() {
        let (caller, capability) = (import.caller, import.capability);
        if course.grants.allow(caller, capability) || course.absent.contains(capability.name) {
            let name = &import.linked;
            wreimage_capability::link(capability, &mut linker, name, caller, |cell| {
                &mut cell.border
            })?;
        }
    }
    let cell = Cell {
        border: Border::new(Box::new(GuestGate(course.clone()))),
        bounds: limits.bounds(),
        refuelled_at: 0,
    };
    let mut store = Store::new(&engine.wasm, cell);
    store.limiter(|cell| &mut cell.bounds);
    store.set_fuel(limits.fuel)?;
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    store.call_hook(move |mut context, hook| {
        // Only an answered call earns new fuel: growing memory or being asked to step aside is no call.
        if matches!(hook, CallHook::ReturningFromHost) {
            let calls = context.data().border.calls();
            if calls != context.data().refuelled_at {
                context.data_mut().refuelled_at = calls;
                context.set_fuel(limits.fuel)?;
            }
        }
        Ok(())
    });
    let instance = Reimager::instantiate_async(&mut store, &guest.component, &linker).await?;
    Ok((store, instance))
}

pub(crate) async fn run_guest(
    engine: &Engine,
    guest: &Guest,
    course: &Arc<Course>,
    limits: Limits,
) -> Ended {
    let (mut store, instance) = match instantiate(engine, guest, course, limits).await {
        Ok(instance) => instance,
        Err(error) => {
            let why = format!("the guest does not fit this host: {error:#}");
            return Ended::Stopped(if course.is_replaying() {
                Stop::Paused(why)
            } else {
                Stop::Refused(format!("{why}. Nothing was touched"))
            });
        }
    };
    let exports = instance.wreimage_guest_guest();
    let running = exports.call_run(&mut store);
    let cancel = course.cancel.clone();
    let answer = tokio::select! {
        answer = running => answer,
        () = async {
            cancel.cancelled().await;
            // Should this process go away as well, the next one goes on with the cancelling. A record that cannot be kept
            // stops the guest at its next call.
            let _told = course.note_cancel();
            tokio::time::sleep(CANCEL_GRACE).await;
            // A mutation that is under way is never dropped; its own deadlines bound it.
            let _ended = course.mutating.lock().await;
        } => return Ended::Cancelled,
    };
    match answer {
        Ok(Ok(outcome)) => Ended::Returned(outcome),
        Ok(Err(fault)) if fault.kind == FaultKind::Cancelled && cancel.is_cancelled() => {
            Ended::Cancelled
        }
        Ok(Err(fault)) => Ended::Faulted(fault),
        Err(error) => match error.downcast::<Stop>() {
            Ok(Stop::Cancelled) => Ended::Cancelled,
            Ok(stop) => Ended::Stopped(stop),
            Err(error) => {
                let trap = explain(guest, &error, limits);
                let panic = course.state().notes.last_error.clone();
                Ended::Trapped(match panic {
                    Some(message) => format!("{trap}; its last words: {message}"),
                    None => trap,
                })
            }
        },
    }
}
