//! Driving a run to its end, or until it waits for another process.

use crate::active_runs::ActiveRun;
use crate::bound_backend::BoundBackend;
use crate::consent_turn::ConsentInTurn;
use crate::environment::Environment;
use crate::error::RunsError;
use crate::frontend::{AttendedRun, Frontend, RunSource};
use crate::host_lock::{HostLock, release};
use crate::launch_settings::Questions;
use crate::notification::RunNotifier;
use crate::recorded_keys::recorded_keys;
use crate::run_result::RunResult;
use crate::site_lease;
use crate::standing::header_of;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wreimage_engine::{Cancel, Companion, Fence, Going, Guest, Listener, RunRequest};
use wreimage_journal::{Entry, Record, RunDatabase, RunOutcome};
use wreimage_site::Keeper;

/// How often the wish of another process to cancel is looked for.
const CANCEL_INTERVAL: Duration = Duration::from_secs(1);

/// What the engine is to do with a run.
pub(crate) enum EngineTask<'a> {
    /// Run it from the start.
    Begin(&'a Guest),
    /// Continue it after these records. The time is that of the last sign of its last process.
    Resume(&'a Guest, Vec<Entry>, Option<Timestamp>),
    /// End it after these records.
    End(Option<&'a Guest>, Vec<Entry>),
}

/// A run of this process.
pub(crate) struct RunJob<'a> {
    pub task: EngineTask<'a>,
    pub request: RunRequest,
    pub bound: BoundBackend,
    pub journal: RunDatabase,
    /// What keeps other runs from the host.
    pub lock: Option<HostLock>,
    pub questions: Questions,
    /// Whether another process can continue it.
    pub resumable: bool,
}

/// Drives a run.
pub(crate) async fn drive(
    environment: &Environment,
    job: RunJob<'_>,
) -> Result<RunResult, RunsError> {
    let RunJob {
        task,
        request,
        bound,
        journal,
        lock,
        questions,
        resumable,
    } = job;
    let recorded = journal.path().to_owned();
    let journal = Arc::new(journal);
    let run = request.run.clone();
    let state = environment.store.state();
    let frontend = &environment.frontend;
    let is_new = matches!(task, EngineTask::Begin(_));
    let had_turn = has_had_turn(&task);
    if had_turn {
        environment.turns.skip(&request.host);
    }
    let mut services = bound.services;
    let attendance = frontend.clone().attend(AttendedRun {
        host: request.host.clone(),
        actor: environment.actor.clone(),
        journal: journal.clone(),
        resumable,
        questions,
        clock: services.clock.clone(),
        seat: bound.seat.clone(),
    });
    services.operator = attendance.operator;
    services.consent = Arc::new(ConsentInTurn {
        consent: attendance.consent,
        turns: environment.turns.clone(),
        host: request.host.clone(),
        has_turn: AtomicBool::new(had_turn),
        seat: bound.seat,
    });
    let keeper = bound.keeper.filter(|_| resumable).map(Arc::new);
    services.companion = keeper.clone().map(|keeper| keeping(keeper, &run));
    services.log = journal.clone();
    services.resumable = resumable;
    services.fence = fence(lock.as_ref().map(HostLock::fence), keeper, &run);
    services.recorded_keys = Some(recorded_keys(state, &request));
    if let Some(leasing) = &mut services.lease {
        site_lease::complete(leasing, state, &environment.controller, &environment.actor);
    }
    let header = match &task {
        EngineTask::Begin(_) => None,
        EngineTask::Resume(_, entries, _) | EngineTask::End(_, entries) => {
            header_of(entries).cloned()
        }
    };
    let notifier = bound
        .notifier
        .map(|notifier| Arc::new(RunNotifier::new(notifier, header, frontend.clone())));
    let touched = Arc::new(AtomicBool::new(!is_new));
    services.listener = Some(listener(
        frontend.clone(),
        notifier.clone(),
        &request,
        touched.clone(),
    ));
    environment.active.add(ActiveRun {
        run: run.clone(),
        cancel: services.cancel.clone(),
        touched,
        resumable,
    });
    let watch = tokio::spawn(cancel_from_elsewhere(
        frontend.clone(),
        journal,
        services.cancel.clone(),
    ));
    let going = |heard| Going {
        actor: environment.actor.clone(),
        controller: environment.controller.clone(),
        heard,
    };
    let engine = &environment.engine;
    let report = match task {
        EngineTask::Begin(guest) => wreimage_engine::run(engine, guest, request, services).await,
        EngineTask::Resume(guest, entries, heard) => {
            wreimage_engine::resume(engine, guest, request, services, entries, going(heard)).await
        }
        EngineTask::End(guest, entries) => {
            wreimage_engine::cleanup(engine, guest, request, services, entries, going(None)).await
        }
    };
    watch.abort();
    // It has the journal; with the last owner the journal is closed, and that must not race with the end of the process.
    let _aborted = watch.await;
    environment.active.remove(&run);
    // The listener is gone with the services of the run.
    if let Some(notifier) = notifier.and_then(Arc::into_inner) {
        notifier.finish().await;
    }
    // A run that waits for an operator keeps its host: it is half-way. One that did not begin does not.
    let is_over = match &report {
        Ok(report) => report.ending.outcome != RunOutcome::Paused,
        Err(_) => is_new,
    };
    if let (Some(lock), true) = (lock, is_over) {
        release(lock, frontend.as_ref());
    }
    Ok(RunResult {
        report: report?,
        recorded,
    })
}

/// Shows each record, notifies of it, and notes whether anything was changed.
fn listener(
    frontend: Arc<dyn Frontend>,
    notifier: Option<Arc<RunNotifier>>,
    request: &RunRequest,
    touched: Arc<AtomicBool>,
) -> Listener {
    let from = RunSource::new(&request.run, &request.host);
    // What a rehearsal changes, it changes in its twin.
    let is_rehearsal = request.dry_run;
    Arc::new(move |entry| {
        if !is_rehearsal && matches!(entry.record, Record::Intent(_)) {
            touched.store(true, Ordering::SeqCst);
        }
        frontend.record(&from, entry);
        if let Some(notifier) = &notifier {
            notifier.record(entry);
        }
    })
}

/// What a run asks before each change: whether it still holds its lock, and whether its DHCP entry is still its own.
fn fence(lock: Option<Fence>, keeper: Option<Arc<Keeper>>, run: &str) -> Option<Fence> {
    let Some(keeper) = keeper else { return lock };
    let run = run.to_owned();
    Some(Arc::new(move || {
        lock.as_ref().map_or(Ok(()), |lock| lock())?;
        keeper.lost().map_or(Ok(()), |why| {
            Err(format!(
                "{why}. Check who changes this host; then `wreimage resume {run}` continues, and `wreimage cleanup {run}` ends \
                 the run"
            ))
        })
    }))
}

/// Whether a run has had its turn in an earlier process.
fn has_had_turn(task: &EngineTask<'_>) -> bool {
    match task {
        EngineTask::Begin(_) => false,
        EngineTask::Resume(_, entries, _) | EngineTask::End(_, entries) => entries
            .iter()
            .any(|entry| matches!(entry.record, Record::Intent(_) | Record::Consented { .. })),
    }
}

/// Renews what expires at the site; what goes wrong with that stands in the record.
fn keeping(keeper: Arc<Keeper>, run: &str) -> Companion {
    let run = run.to_owned();
    Arc::new(move |tell| {
        let (keeper, run) = (keeper.clone(), run.clone());
        Box::pin(async move { keeper.keep(&run, |text: &str| tell(text)).await })
    })
}

/// Cancels when another process leaves that wish.
async fn cancel_from_elsewhere(
    frontend: Arc<dyn Frontend>,
    journal: Arc<RunDatabase>,
    cancel: Cancel,
) {
    loop {
        tokio::time::sleep(CANCEL_INTERVAL).await;
        if let Ok(Some(actor)) = journal.given_cancel() {
            frontend.line(&format!("{actor} cancels the run from another terminal"));
            cancel.cancel();
            return;
        }
    }
}
