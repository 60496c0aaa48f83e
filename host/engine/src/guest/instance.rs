//! The guest's part of a run: an instance that sees only what is granted, and how it ended.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::gate::stages::GuestGate;
use crate::guest::blame::explain;
use crate::guest::engine::Engine;
use crate::guest::limits::{Bounds, Exceeded, Limits};
use crate::guest::load::Guest;
use crate::guest::measure;
use crate::ledger::Mode;
use crate::run::stop::Stop;
use crate::wasi::{self, HasWasi, Outside, Times, Wasi};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{CallHook, Store, Trap};
use wreimage_capability::bindings::ReimagerPre;
use wreimage_capability::guest as wit;
use wreimage_capability::run::{self, Severity};
use wreimage_capability::{Border, BoxFuture, Caller, Fault, FaultKind, Function, clock};
use wreimage_journal::GuestEnd;

/// How long a cancelled guest has to come to its end.
pub(crate) const CANCEL_GRACE: Duration = Duration::from_secs(10);

impl RunGate {
    /// Ends when a guest that was cancelled has had its time to end by itself.
    pub(crate) async fn grace_of_cancel(&self) {
        // The guest's time begins when the call that is under way has ended.
        drop(self.mutating.lock().await);
        tokio::time::sleep(CANCEL_GRACE).await;
        // A mutation that is under way is never dropped; its own deadlines bound it.
        let _ended = self.mutating.lock().await;
    }
}

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
pub(crate) struct StoreData {
    border: Border,
    wasi: Wasi,
    bounds: Bounds,
    /// Calls answered when fuel was last given.
    refuelled_at: u64,
}

impl StoreData {
    /// Calls that the guest has made, by whatever door.
    fn calls(&self) -> u64 {
        self.border.calls().wrapping_add(self.wasi.sleeps())
    }
}

impl HasWasi for StoreData {
    fn wasi(&mut self) -> &mut Wasi {
        &mut self.wasi
    }
}

/// What a guest does by its WASI passes the gate like the rest.
struct GatedWasi(Arc<RunGate>);

impl GatedWasi {
    async fn call(&self, function: &'static Function, arguments: Value) -> wasmtime::Result<()> {
        self.0.admit(function, &arguments).await?;
        // All components share one WASI: which of them this was is not known.
        let context = CallContext::of_guest(Caller::Guest, function, &arguments);
        // A fault is that the run was cancelled. WASI has no word for that; the next call has.
        match self.0.call(context).await {
            Ok(_) => Ok(()),
            Err(stop) => Err(wasmtime::Error::new(stop)),
        }
    }
}

impl Outside for GatedWasi {
    fn times(&self) -> Times {
        self.0.state().times
    }

    fn sleep(&mut self, millis: u64) -> BoxFuture<'_, wasmtime::Result<()>> {
        Box::pin(async move {
            let arguments = json!({ "duration_ms": millis });
            self.call(&clock::functions::sleep, arguments).await
        })
    }

    fn tell(&mut self, severity: Severity, line: String) -> BoxFuture<'_, wasmtime::Result<()>> {
        Box::pin(async move {
            let arguments = json!({ "severity": severity, "text": line });
            self.call(&run::functions::log, arguments).await
        })
    }
}

/// What a fresh instance is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// `run`.
    Run,
    /// `on-ended`.
    ClosingWords,
}

/// A fresh store, and the guest linked to what is granted to it and nothing else. Nothing of it has run.
pub(crate) fn link(
    engine: &Engine,
    guest: &Guest,
    gate: &Arc<RunGate>,
    limits: Limits,
    part: Part,
) -> wasmtime::Result<(Store<StoreData>, ReimagerPre<StoreData>)> {
    let mut linker: Linker<StoreData> = Linker::new(engine.wasm());
    wreimage_capability::link_types(&mut linker, |cell| &mut cell.border)?;
    for import in guest.all_imports() {
        let (caller, capability) = (import.caller, import.capability);
        if gate.context.grants.allow(caller, capability)
            || gate.context.absent.contains(capability.name)
        {
            let name = &import.linked;
            wreimage_capability::link(capability, &mut linker, name, caller, |cell| {
                &mut cell.border
            })?;
        }
    }
    wasi::link(&mut linker, engine.wasm(), &guest.component)?;
    let cell = StoreData {
        border: Border::new(Box::new(GuestGate(gate.clone()))),
        wasi: Wasi::new(
            Box::new(GatedWasi(gate.clone())),
            &format!("{part:?} of {}", gate.context.run),
        ),
        bounds: limits.bounds(),
        refuelled_at: 0,
    };
    let mut store = Store::new(engine.wasm(), cell);
    store.limiter(|cell| &mut cell.bounds);
    limits.fill(&mut store)?;
    store.call_hook(move |mut context, hook| {
        // Only an answered call earns new fuel: growing memory or being asked to step aside is no call.
        if matches!(hook, CallHook::ReturningFromHost) {
            let calls = context.data().calls();
            if calls != context.data().refuelled_at {
                context.data_mut().refuelled_at = calls;
                context.set_fuel(limits.fuel)?;
            }
        }
        Ok(())
    });
    let linked = linker
        .instantiate_pre(&guest.component)
        .and_then(ReimagerPre::new)?;
    Ok((store, linked))
}

/// Why a guest died, in its own language's words where it has some.
pub(crate) fn died(
    guest: &Guest,
    error: &wasmtime::Error,
    limits: Limits,
    gate: &RunGate,
    cell: &StoreData,
) -> String {
    if error.downcast_ref::<Trap>() == Some(&Trap::UnreachableCodeReached)
        && let Some(exception) = cell.wasi.exception()
    {
        return guest.blame(error, exception);
    }
    let trap = explain(guest, error, limits);
    let panic = gate.state().notes.last_error.clone();
    match panic.or_else(|| cell.wasi.last_words()) {
        Some(message) => format!("{trap}; its last words: {message}"),
        None => trap,
    }
}

/// Whether what a guest returns is within the bounds of the site.
fn within(limits: &Limits, what: &str, value: &impl Serialize) -> Result<(), Exceeded> {
    let value = serde_json::to_value(value).unwrap_or_default();
    measure::check(limits, &value, &|| what.to_owned())
}

pub(crate) async fn run_guest(
    engine: &Engine,
    guest: &Guest,
    gate: &Arc<RunGate>,
    limits: Limits,
) -> Ended {
    let (mut store, linked) = match link(engine, guest, gate, limits, Part::Run) {
        Ok(linked) => linked,
        Err(error) => {
            let why = format!("the guest does not fit this host: {error:#}");
            return Ended::Stopped(if gate.mode() == Mode::Replaying {
                Stop::Paused(why)
            } else {
                Stop::Refused(format!("{why}. Nothing was touched"))
            });
        }
    };
    // Code of the guest runs while it is instantiated, too.
    let running = async {
        let instance = linked.instantiate_async(&mut store).await?;
        instance.wreimage_guest_guest().call_run(&mut store).await
    };
    let cancel = gate.cancel.clone();
    let answer = tokio::select! {
        answer = running => answer,
        () = async {
            cancel.cancelled().await;
            // Should this process go away as well, the next one goes on with the cancelling. A record that cannot be kept
            // stops the guest at its next call.
            let _told = gate.note_cancel();
            gate.grace_of_cancel().await;
        } => return Ended::Cancelled,
    };
    // What it wrote without an end of line. A record that cannot be kept is told by the next one.
    let flushed = store.data_mut().wasi.flush().await;
    match answer {
        Ok(_) if let Err(Ok(stop)) = flushed.map_err(wasmtime::Error::downcast::<Stop>) => {
            Ended::Stopped(stop)
        }
        Ok(Ok(outcome)) => match within(&limits, "its outcome", &outcome) {
            Ok(()) => Ended::Returned(outcome),
            Err(exceeded) => Ended::Trapped(explain(guest, &exceeded.into(), limits)),
        },
        Ok(Err(fault)) if fault.kind == FaultKind::Cancelled && cancel.is_cancelled() => {
            Ended::Cancelled
        }
        Ok(Err(fault)) => match within(&limits, "its fault", &fault) {
            Ok(()) => Ended::Faulted(fault),
            Err(exceeded) => Ended::Trapped(explain(guest, &exceeded.into(), limits)),
        },
        Err(error) if cancel.is_cancelled() && error.is::<Exceeded>() => Ended::Cancelled,
        Err(error) => match error.downcast::<Stop>() {
            Ok(Stop::Cancelled) => Ended::Cancelled,
            Ok(stop) => Ended::Stopped(stop),
            Err(error) => Ended::Trapped(died(guest, &error, limits, gate, store.data())),
        },
    }
}
