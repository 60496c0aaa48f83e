//! Driving a run to its end: what `run`, `resume` and `cleanup` have in common.

use crate::arguments::Output;
use crate::exit::{Exit, Failure};
use crate::face::{self, Face};
use crate::lock::HostLock;
use crate::prompt::Terminal;
use crate::surroundings::Surroundings;
use crate::tell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wreimage_engine::{Cancel, Engine, Going, Guest, Report, RunError, RunRequest};
use wreimage_journal::{Entry, Record, RunDatabase};

/// How the person wants it.
pub struct Manner {
    pub output: Output,
    pub strict: bool,
    /// The host for which consent was given on the command line.
    pub yes: Option<String>,
    /// Whether the run can be gone on with when this process is gone.
    pub resumable: bool,
    /// What keeps other runs from the host.
    pub lock: Option<HostLock>,
}

/// What earlier processes have recorded, and what to do with it.
pub struct Past {
    pub entries: Vec<Entry>,
    /// The guest is not the one that made them.
    pub changed: bool,
    /// Only what must not stay is taken back; the guest is not gone on with.
    pub end: bool,
}

/// Runs from the begin, or goes on after these records.
pub async fn drive(
    engine: &Engine,
    guest: &Guest,
    request: RunRequest,
    place: Surroundings,
    journal: RunDatabase,
    past: Option<Past>,
    manner: Manner,
) -> Result<Exit, Failure> {
    let recorded_at = journal.path().to_owned();
    let journal = Arc::new(journal);
    let face = face::choose(manner.output, place.pace);
    let touched = Arc::new(AtomicBool::new(past.is_some()));
    let terminal = Arc::new(Terminal::new(
        face.clone(),
        manner.yes,
        journal.clone(),
        manner.resumable,
    ));
    let mut services = place.services;
    services.log = journal;
    services.resumable = manner.resumable;
    services.fence = manner.lock.as_ref().map(HostLock::fence);
    let (listening, changes) = (face.clone(), touched.clone());
    // What a rehearsal changes, it changes in its twin.
    let rehearsal = request.dry_run;
    services.listener = Some(Arc::new(move |entry| {
        if !rehearsal && matches!(entry.record, Record::Intent(_)) {
            changes.store(true, Ordering::SeqCst);
        }
        listening.entry(entry);
    }));
    services.operator = terminal.clone();
    services.consent = terminal;
    let run = request.run.clone();
    listen_for_signals(
        services.cancel.clone(),
        face.clone(),
        touched,
        manner.resumable.then(|| run.clone()),
    );
    let report = match past {
        None => wreimage_engine::run(engine, guest, request, services).await,
        Some(past) => {
            let going = Going {
                actor: actor(),
                controller: controller(),
                changed_guest: past.changed,
                end: past.end,
            };
            wreimage_engine::resume(engine, guest, request, services, past.entries, going).await
        }
    };
    face.finish();
    let report = report.map_err(failure)?;
    // One that waits for somebody keeps its host: it is half-way.
    if report.ending.outcome != "paused"
        && let Some(lock) = manner.lock
    {
        lock.release();
    }
    if manner.output == Output::Text {
        crate::print(&tell::plain(&face::report(&report)))?;
    }
    if report.ending.outcome == "paused" {
        tell::line(&format!(
            "to go on: wreimage resume {run}; to end it: wreimage cleanup {run}"
        ));
    }
    tell_record(&report, &recorded_at);
    Ok(Exit::of_run(
        report.ending.exit_code,
        &report.ending.outcome,
        manner.strict,
    ))
}

fn failure(error: RunError) -> Failure {
    match error {
        RunError::NotGranted(why) => Failure::refused(why),
        RunError::OtherGuest(why) => {
            Failure::refused(format!("the other guest cannot go on with this run: {why}"))
        }
        RunError::Types(why) => {
            Failure::refused(format!("the guest does not fit this host: {why}"))
        }
        RunError::Record(error) => Failure::internal(error.to_string()),
        RunError::Host(why) => Failure::internal(why),
    }
}

/// The person, also behind sudo.
pub fn actor() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The machine that this runs on.
pub fn controller() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// The first Ctrl-C cancels in order; the second ends the process where it stands, and so does SIGTERM at once. A terminal
/// that is gone stops nothing.
fn listen_for_signals(
    cancel: Cancel,
    face: Arc<dyn Face>,
    touched: Arc<AtomicBool>,
    resumable: Option<String>,
) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return;
    };
    tokio::spawn(async move {
        let mut cancelled = false;
        loop {
            let at_once = tokio::select! {
                _ = interrupt.recv() => cancelled,
                // Without a journal to go on from, to end in order is the next best.
                _ = terminate.recv() => cancelled || resumable.is_some(),
                _ = hang_up.recv() => {
                    if resumable.is_some() {
                        continue;
                    }
                    cancelled
                }
            };
            if at_once {
                stop_now(&touched, resumable.as_deref());
            }
            cancelled = true;
            // Before anything is said: a terminal that is gone must not delay it.
            cancel.cancel();
            face.line(
                "cancelling: the call that is under way ends first, then what must not stay is taken back; again to stop \
                 at once",
            );
        }
    });
}

fn stop_now(touched: &AtomicBool, resumable: Option<&str>) {
    let code = match (resumable, touched.load(Ordering::SeqCst)) {
        (Some(run), _) => {
            tell::line(&format!(
                "stopped at once: nothing was taken back; to go on: wreimage resume {run}; to end it: wreimage cleanup {run}"
            ));
            50
        }
        (None, true) => {
            tell::line(
                "stopped at once: nothing was taken back; the record of the run says what was done",
            );
            21
        }
        (None, false) => {
            tell::line("stopped at once: nothing was touched");
            30
        }
    };
    std::process::exit(code);
}

fn tell_record(report: &Report, path: &Path) {
    tell::line(&format!("record of {}: {}", report.run, path.display()));
}
