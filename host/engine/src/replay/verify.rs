//! Whether another guest can go on with a run: it must make every call of the journal.

use crate::gate::run_gate::RunGate;
use crate::guest::engine::Engine;
use crate::guest::instance::{Ended, run_guest};
use crate::guest::load::Guest;
use crate::run::request::{RunError, RunRequest};
use crate::run::services::Services;
use crate::run::stop::Stop;
use std::sync::Arc;
use wreimage_journal::{Entry, Header, MemoryLog};

/// Another guest is accepted when it makes every call of the journal; nothing is done meanwhile.
pub(crate) async fn verify_replay(
    engine: &Engine,
    guest: &Guest,
    header: &Header,
    request: &RunRequest,
    services: &Services,
    entries: &[Entry],
) -> Result<(), RunError> {
    let mut services = services.clone();
    services.log = Arc::new(MemoryLog::new());
    services.listener = None;
    services.observer = None;
    // What it records of a cancel is not the run's; the trial itself ends at once.
    let cancel = std::mem::take(&mut services.cancel);
    let limits = request.limits;
    let trial = Arc::new(RunGate::new(header, Some(guest), request.clone(), services));
    trial.state().verifies = true;
    trial.has_past(entries.to_vec());
    let cancelled = || RunError::OtherGuest("it was cancelled".to_owned());
    let ended = tokio::select! {
        biased;
        _why = cancel.stopped() => return Err(cancelled()),
        () = cancel.cancelled() => return Err(cancelled()),
        ended = run_guest(engine, guest, &trial, limits) => ended,
    };
    match ended {
        Ended::Stopped(Stop::Edge) => Ok(()),
        Ended::Returned(_) | Ended::Faulted(_) => trial
            .replay_end("it returns")
            .map_err(|stop| RunError::OtherGuest(stop.to_string())),
        Ended::Stopped(stop) => Err(RunError::OtherGuest(stop.to_string())),
        Ended::Trapped(trap) => Err(RunError::OtherGuest(format!("it dies: {trap}"))),
        Ended::Cancelled => Err(cancelled()),
    }
}
