//! Driving one run to its end: what `run`, `resume` and `cleanup` have in common.

pub use crate::actor::actor;
use crate::exit::Exit;
use crate::face::{self, Source};
use crate::failure::Failure;
use crate::leasing;
use crate::next;
use crate::notice::Teller;
use crate::prompt::Terminal;
use crate::session::{Running, Session};
use crate::surroundings::Surroundings;
use crate::tell;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wreimage_engine::{Cancel, Companion, Engine, Fence, Going, Guest, Report, RunRequest};
use wreimage_journal::{Entry, Record, RunDatabase, RunOutcome};
use wreimage_runs::HostLock;
use wreimage_runs::Questions;
use wreimage_runs::{RunsError, header_of};
use wreimage_site::Keeper;

/// How often the wish to cancel, from another terminal, is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// What is done with a run.
pub enum What<'a> {
    /// It begins.
    Begin(&'a Guest),
    /// It goes on after these records. The time is when its last process was heard of.
    Resume(&'a Guest, Vec<Entry>, Option<Timestamp>),
    /// It is ended after these records; its guest may be missing.
    End(Option<&'a Guest>, Vec<Entry>),
}

/// A run of this process.
pub struct Job<'a> {
    pub engine: &'a Engine,
    pub what: What<'a>,
    pub request: RunRequest,
    pub place: Surroundings,
    pub journal: RunDatabase,
    /// What keeps other runs from the host.
    pub lock: Option<HostLock>,
    pub questions: Questions,
    /// Whether another process can go on with it.
    pub resumable: bool,
}

/// A run that has ended, or waits.
pub struct Driven {
    pub report: Report,
    /// Where its record is.
    pub recorded: PathBuf,
}

/// Runs from the begin, goes on, or ends.
pub async fn drive(session: &Arc<Session>, job: Job<'_>) -> Result<Driven, Failure> {
    let Job {
        engine,
        what,
        request,
        place,
        journal,
        lock,
        questions,
        resumable,
    } = job;
    let recorded = journal.path().to_owned();
    let journal = Arc::new(journal);
    let run = request.run.clone();
    let from = Source::new(&run, &request.host);
    let touched = Arc::new(AtomicBool::new(!matches!(what, What::Begin(_))));
    let half_way = is_half_way(&what);
    if half_way {
        session.turns.skip(&request.host);
    }
    let mut services = place.services;
    let terminal = Arc::new(Terminal {
        session: session.clone(),
        host: request.host.clone(),
        has_turn: AtomicBool::new(half_way),
        actor: actor(),
        journal: journal.clone(),
        resumable,
        questions,
        clock: services.clock.clone(),
        seat: place.seat,
    });
    let keeper = place.keeper.filter(|_| resumable).map(Arc::new);
    services.companion = keeper.clone().map(|keeper| keeping(keeper, &run));
    services.log = journal.clone();
    services.resumable = resumable;
    services.fence = fence(lock.as_ref().map(HostLock::fence), keeper, &run);
    if let Some(state) = recorded.ancestors().nth(2) {
        services.recorded_keys = Some(wreimage_runs::recorded_keys(state, &request));
        if let Some(leasing) = &mut services.lease {
            leasing::complete(leasing, state);
        }
    }
    let header = match &what {
        What::Begin(_) => None,
        What::Resume(_, entries, _) | What::End(_, entries) => header_of(entries).cloned(),
    };
    let teller = place
        .notifier
        .map(|notifier| Arc::new(Teller::new(notifier, header, session.face.clone())));
    let telling = teller.clone();
    let (listening, changes) = (session.face.clone(), touched.clone());
    // What a rehearsal changes, it changes in its twin.
    let rehearsal = request.dry_run;
    services.listener = Some(Arc::new(move |entry| {
        if !rehearsal && matches!(entry.record, Record::Intent(_)) {
            changes.store(true, Ordering::SeqCst);
        }
        listening.entry(&from, entry);
        if let Some(teller) = &telling {
            teller.entry(entry);
        }
    }));
    services.operator = terminal.clone();
    services.consent = terminal;
    session.begins(Running {
        run: run.clone(),
        cancel: services.cancel.clone(),
        touched,
        resumable,
    });
    let watch = tokio::spawn(cancel_from_elsewhere(
        session.clone(),
        journal,
        services.cancel.clone(),
    ));
    let going = |heard| Going {
        actor: actor(),
        controller: controller(),
        heard,
    };
    let is_new = matches!(what, What::Begin(_));
    let report = match what {
        What::Begin(guest) => wreimage_engine::run(engine, guest, request, services).await,
        What::Resume(guest, entries, heard) => {
            wreimage_engine::resume(engine, guest, request, services, entries, going(heard)).await
        }
        What::End(guest, entries) => {
            wreimage_engine::cleanup(engine, guest, request, services, entries, going(None)).await
        }
    };
    watch.abort();
    // It has the journal; with the last who has it, the journal is closed, and that must not race with the end of the process.
    let _aborted = watch.await;
    session.ended(&run);
    // The listener is gone with the services of the run.
    if let Some(teller) = teller.and_then(Arc::into_inner) {
        teller.finish().await;
    }
    // One that waits for somebody keeps its host: it is half-way. One that did not begin does not.
    let is_over = match &report {
        Ok(report) => report.ending.outcome != RunOutcome::Paused,
        Err(_) => is_new,
    };
    if let (Some(lock), true) = (lock, is_over) {
        release(lock);
    }
    Ok(Driven {
        report: report.map_err(RunsError::from)?,
        recorded,
    })
}

/// Gives a lock back; one that stays is named.
pub fn release(lock: HostLock) {
    let name = lock.name().to_owned();
    if let Err(error) = lock.release() {
        tell::line(&format!(
            "warning: the lock {name} could not be given back: {error}; it ends with `wreimage lock break {name}`"
        ));
    }
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
fn is_half_way(what: &What<'_>) -> bool {
    match what {
        What::Begin(_) => false,
        What::Resume(_, entries, _) | What::End(_, entries) => entries
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

/// Cancels when somebody says so from another terminal.
async fn cancel_from_elsewhere(session: Arc<Session>, journal: Arc<RunDatabase>, cancel: Cancel) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Ok(Some(actor)) = journal.given_cancel() {
            session
                .face
                .line(&format!("{actor} cancels the run from another terminal"));
            cancel.cancel();
            return;
        }
    }
}

/// Tells the end of a run that was alone.
pub fn conclude(session: &Session, driven: &Driven) -> Result<Exit, Failure> {
    session.face.finish();
    tell_end(session, driven)
}

/// How a guest's note of the command to run next begins.
const NEXT: &str = "Next: wreimage ";

/// Tells the end of a run.
pub fn tell_end(session: &Session, driven: &Driven) -> Result<Exit, Failure> {
    let report = &driven.report;
    let as_text = session.output == crate::arguments::Output::Text;
    if as_text {
        tell::page(&face::report(report))?;
    }
    // The guest knows better what to correct: its command is in the report.
    let by_guest = as_text && report.notes.iter().any(|(_, it)| it.starts_with(NEXT));
    if !by_guest && let Some(next) = next::after_run(&report.run, report.ending.outcome) {
        tell::line(&next);
    }
    tell::line(&format!(
        "record of {}: {}",
        report.run,
        driven.recorded.display()
    ));
    Ok(Exit::of_run(&report.ending, session.strict))
}

/// The machine that this runs on.
pub fn controller() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}
