//! One run from its header to its last record.

use crate::cancel::Cancel;
use crate::engine::Engine;
use crate::gate::{Course, GuestGate, State};
use crate::grants::{Absent, Grants};
use crate::guest::{Guest, explain};
use crate::judge;
use crate::limits::{Bounds, Limits};
use crate::options::OptionValues;
use crate::recorder::Recorder;
use crate::redact::{Redacted, Redaction};
use crate::report::Report;
use crate::services::Services;
use crate::stop::Stop;
use jiff::Timestamp;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{CallHook, Store};
use wreimage_capability::bindings::Reimager;
use wreimage_capability::guest as wit;
use wreimage_capability::{Border, Fault, FaultKind, Providers, Server};
use wreimage_journal::{Ending, Entry, FORMAT, GuestEnd, Header, LogError, MemoryLog, Record};

/// How long the closing words may take.
const ROLLBACK_DEADLINE: Duration = Duration::from_secs(120);

/// How long a cancelled guest has to come to its end.
const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// Exit code of a run that waits for somebody.
const PAUSED: u8 = 50;

/// What a run is started for.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Id of the run; [`RunRequest::new`] makes one.
    pub run: String,
    /// Short name of the host.
    pub host: String,
    /// Name of the site.
    pub site: String,
    /// Options of the guest.
    pub options: OptionValues,
    /// Who starts it.
    pub actor: String,
    /// The machine that it is started on.
    pub controller: String,
    /// Whether to rehearse only.
    pub dry_run: bool,
    /// What the guest may call.
    pub grants: Grants,
    /// The capabilities that the site does not have.
    pub absent: Absent,
    /// Tags in the inventory that forbid any change.
    pub protected_tags: Vec<String>,
    /// The command that opens the host's console, for a boot that does not come.
    pub console: Option<String>,
    /// What the guest may use.
    pub limits: Limits,
    /// Why it is started, in the words of whoever starts it.
    pub reason: Option<String>,
    /// The directory of the lab's world, when one is kept.
    pub world: Option<String>,
    /// The lock that keeps other runs from the host, if there is one.
    pub lock: Option<String>,
}

impl RunRequest {
    /// A run of everything granted, without options, for a host of a site.
    pub fn new(host: impl Into<String>, site: impl Into<String>) -> Self {
        let host = host.into();
        RunRequest {
            run: run_id(&host, Timestamp::now()),
            host,
            site: site.into(),
            options: OptionValues::default(),
            actor: "unknown".to_owned(),
            controller: "unknown".to_owned(),
            dry_run: false,
            grants: Grants::all("the embedding program"),
            absent: Absent::new(),
            protected_tags: vec!["protected".to_owned()],
            console: None,
            limits: Limits::default(),
            reason: None,
            world: None,
            lock: None,
        }
    }

    /// What a run was started for, by its header. What the site decides is for the caller to set.
    pub fn resumed(header: &Header) -> Self {
        RunRequest {
            run: header.run.clone(),
            options: OptionValues::recorded(header.options.clone()),
            actor: header.actor.clone(),
            controller: header.controller.clone(),
            dry_run: header.dry_run,
            absent: header.absent.iter().cloned().collect(),
            reason: header.reason.clone(),
            world: header.world.clone(),
            lock: header.lock.clone(),
            ..RunRequest::new(&header.host, &header.site)
        }
    }
}

/// `20260131T235959-host1001-4f3a09c2`: sorts by time, names the host, and two in one second differ.
fn run_id(host: &str, now: Timestamp) -> String {
    let random = std::hash::RandomState::new().build_hasher().finish() & 0xffff_ffff;
    format!("{}-{host}-{random:08x}", now.strftime("%Y%m%dT%H%M%S"))
}

/// A run that could not begin, or could not be recorded to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The guest wants what it is not granted.
    #[error("{0}")]
    NotGranted(String),
    /// The guest's types are not those of the host.
    #[error("the guest does not fit this host: {0}")]
    Types(String),
    /// It is not the guest that the run was started with, and does something else.
    #[error("the other guest cannot go on with this run: {0}")]
    OtherGuest(String),
    /// The record cannot be kept: nothing more is done.
    #[error(transparent)]
    Record(#[from] LogError),
    /// The host failed.
    #[error("the host failed: {0}")]
    Host(String),
}

/// How the guest's part ended.
pub(crate) enum Ended {
    Returned(wit::Outcome),
    Faulted(Fault),
    Trapped(String),
    Stopped(Stop),
    Cancelled,
}

/// Runs a guest for one host, takes back what must not outlive the run, and reports.
///
/// # Errors
/// When it cannot begin or cannot be recorded. A run that fails is a report, not an error.
pub async fn run(
    engine: &Engine,
    guest: &Guest,
    request: RunRequest,
    services: Services,
) -> Result<Report, RunError> {
    if let Some(refusal) = request.grants.refuse(guest.imports(), &request.absent) {
        return Err(RunError::NotGranted(refusal));
    }
    let began = services.clock.now();
    let limits = request.limits;
    let (reason, world, lock) = (
        request.reason.clone(),
        request.world.clone(),
        request.lock.clone(),
    );
    let course = Arc::new(course(guest, request, services));
    let header = Header {
        reason,
        world,
        lock,
        ..header(guest, &course)
    };
    course
        .recorder
        .record_durably(Record::Header(Box::new(header)))?;
    drive(engine, guest, &course, limits, began).await
}

/// How to go on with a run.
#[derive(Debug, Clone, Default)]
pub struct Going {
    /// Who goes on with it.
    pub actor: String,
    /// The machine that it is gone on with on.
    pub controller: String,
    /// The guest is not the one that the journal is of.
    pub changed_guest: bool,
    /// The guest is not gone on with: what must not stay is taken back, and the run ends.
    pub end: bool,
}

/// Goes on with a run from its journal: what was answered is not done again, what was begun is cleared up, and the rest is
/// done. `request` is [`RunRequest::resumed`] with what the site decides now.
///
/// # Errors
/// As [`run`].
pub async fn resume(
    engine: &Engine,
    guest: &Guest,
    request: RunRequest,
    services: Services,
    entries: Vec<Entry>,
    going: Going,
) -> Result<Report, RunError> {
    if let Some(refusal) = request.grants.refuse(guest.imports(), &request.absent) {
        return Err(RunError::NotGranted(refusal));
    }
    let began = entries
        .first()
        .map_or_else(|| services.clock.now(), |entry| entry.time);
    let limits = request.limits;
    if going.changed_guest {
        try_along(engine, guest, &request, &services, &entries).await?;
    }
    let course = Arc::new(course(guest, request, services));
    let calls = entries
        .iter()
        .filter_map(|entry| call_of(&entry.record))
        .max();
    course
        .recorder
        .continue_after(entries.len() as u64, calls.unwrap_or(0));
    course
        .state()
        .undriven(&entries, course.recorder.clock().now());
    course.recorder.record(Record::Resumed {
        actor: going.actor,
        controller: going.controller,
        wreimage: env!("CARGO_PKG_VERSION").to_owned(),
    })?;
    if going.changed_guest {
        course.recorder.record_durably(Record::GuestChanged {
            digest: guest.digest().to_owned(),
            version: guest.description().version.clone(),
        })?;
    }
    course.has_past(entries);
    if going.end {
        return end(engine, guest, &course, limits, began).await;
    }
    drive(engine, guest, &course, limits, began).await
}

/// Another guest is accepted when it makes every call of the journal; nothing is done meanwhile.
async fn try_along(
    engine: &Engine,
    guest: &Guest,
    request: &RunRequest,
    services: &Services,
    entries: &[Entry],
) -> Result<(), RunError> {
    let mut services = services.clone();
    services.log = Arc::new(MemoryLog::new());
    services.listener = None;
    services.observer = None;
    services.cancel = Cancel::new();
    let limits = request.limits;
    let trial = Arc::new(course(guest, request.clone(), services));
    trial.state().trial = true;
    trial.has_past(entries.to_vec());
    let ended = run_guest(engine, guest, &trial, limits).await?;
    match &ended {
        Ended::Stopped(Stop::Edge) => Ok(()),
        Ended::Returned(_) | Ended::Faulted(_) => trial
            .recall_end()
            .map_err(|stop| RunError::OtherGuest(stop.to_string())),
        Ended::Stopped(stop) => Err(RunError::OtherGuest(stop.to_string())),
        Ended::Trapped(trap) => Err(RunError::OtherGuest(format!("it dies: {trap}"))),
        Ended::Cancelled => Err(RunError::OtherGuest("it was cancelled".to_owned())),
    }
}

/// Ends a run that nobody goes on with.
async fn end(
    engine: &Engine,
    guest: &Guest,
    course: &Arc<Course>,
    limits: Limits,
    began: Timestamp,
) -> Result<Report, RunError> {
    if course.guest_end().is_some() {
        return drive(engine, guest, course, limits, began).await;
    }
    course.recall_all();
    let ended = Ended::Cancelled;
    let _told = close_course(course, &ended);
    close(engine, guest, course, limits, began, ended).await
}

fn call_of(record: &Record) -> Option<u64> {
    match record {
        Record::Intent(it) => Some(it.call),
        Record::Outcome(it) => Some(it.call),
        Record::Timer(it) => Some(it.call),
        Record::Question(it) => Some(it.call),
        _ => None,
    }
}

/// The guest's part, what is taken back, the closing words, and the verdict; or a pause, after which nothing of that has
/// been done.
async fn drive(
    engine: &Engine,
    guest: &Guest,
    course: &Arc<Course>,
    limits: Limits,
    began: Timestamp,
) -> Result<Report, RunError> {
    let ended = match course.guest_end() {
        Some(end) => {
            course.recall_guest();
            Ended::from_record(end)
        }
        None => {
            let mut ended = run_guest(engine, guest, course, limits).await?;
            if let Ended::Returned(_) | Ended::Faulted(_) = &ended
                && let Err(stop) = course.recall_end()
            {
                ended = Ended::Stopped(stop);
            }
            if let Ended::Stopped(stop) = &ended
                && (stop.is_pause() || (course.resumable && matches!(stop, Stop::Record(_))))
            {
                return Ok(pause(course, stop, began));
            }
            // A record that cannot be kept does not keep the host from taking back what must not stay; the report says so.
            if !course.resumable {
                course.recorder.go_on_unrecorded();
            }
            if let Err(error) = close_course(course, &ended)
                && course.resumable
            {
                return Ok(pause(course, &Stop::Record(error), began));
            }
            ended
        }
    };
    close(engine, guest, course, limits, began, ended).await
}

/// What follows the guest's part.
async fn close(
    engine: &Engine,
    guest: &Guest,
    course: &Arc<Course>,
    limits: Limits,
    began: Timestamp,
    ended: Ended,
) -> Result<Report, RunError> {
    match course.take_back().await {
        Ok(()) => {}
        Err(stop) if stop.is_pause() || matches!(stop, Stop::Record(_)) => {
            return Ok(pause(course, &stop, began));
        }
        Err(stop) => return Err(RunError::Host(stop.to_string())),
    }
    let refused = matches!(
        ended,
        Ended::Stopped(Stop::Refused(_) | Stop::WrongMachine(_))
    );
    if !refused || course.state().touched {
        say_closing_words(engine, guest, course, limits, &ended).await;
    }
    if let (Some(why), true) = (course.recorder.broken(), course.resumable) {
        return Ok(pause(course, &Stop::Paused(why), began));
    }
    Ok(finish(course, &ended, began))
}

/// The run waits for somebody; nothing is taken back.
fn pause(course: &Course, stop: &Stop, began: Timestamp) -> Report {
    let why = stop.to_string();
    let _told = course
        .recorder
        .record_durably(Record::Paused { why: why.clone() });
    let ending = Ending {
        outcome: "paused".to_owned(),
        summary: why,
        touched: course.state().touched,
        left: Vec::new(),
        exit_code: PAUSED,
    };
    report(course, ending, began)
}

impl Ended {
    fn record(&self) -> GuestEnd {
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

    fn from_record(end: GuestEnd) -> Self {
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

fn course(guest: &Guest, request: RunRequest, services: Services) -> Course {
    let description = guest.description();
    let capabilities = guest
        .imports()
        .iter()
        .filter(|import| import.capability.server == Server::Provider)
        .filter(|import| !request.absent.contains(import.capability.name))
        .map(|import| {
            let functions: Vec<String> = import
                .functions
                .iter()
                .filter(|function| function.effect.mutates())
                .map(|function| function.name.to_owned())
                .collect();
            (import.capability.name.to_owned(), functions)
        })
        .collect();
    let redaction = Redaction(services.redactor);
    let state = State {
        rehearses: request.dry_run,
        providers: redacted(services.providers, &redaction),
        ..State::default()
    };
    Course {
        run: request.run,
        host: request.host,
        site: request.site,
        actor: request.actor,
        controller: request.controller,
        options: request.options.pairs(),
        guest: format!("{} {}", description.name, description.version),
        digest: guest.digest().to_owned(),
        capabilities,
        may_mutate: description.mutates,
        dry_run: request.dry_run,
        grants: request.grants,
        absent: request.absent,
        protected_tags: request.protected_tags,
        console: request.console,
        waits: services.waits,
        fence: services.fence,
        resumable: services.resumable,
        consent: services.consent,
        operator: services.operator,
        observer: services.observer,
        twin: services.twin,
        cancel: services.cancel,
        mutating: tokio::sync::Mutex::new(()),
        recorder: Arc::new(Recorder::new(
            services.log,
            services.listener,
            services.clock,
            redaction,
        )),
        past: Mutex::new(None),
        state: Mutex::new(state),
    }
}

/// The same providers, none of which can tell a secret.
fn redacted(providers: Providers, redaction: &Redaction) -> Providers {
    if redaction.0.is_none() {
        return providers;
    }
    let mut all = Providers::new();
    for name in providers.names() {
        if let Some(provider) = providers.get(name) {
            let redaction = redaction.clone();
            all.add((
                name,
                Arc::new(Redacted {
                    provider,
                    redaction,
                }),
            ));
        }
    }
    all
}

fn header(guest: &Guest, course: &Course) -> Header {
    let description = guest.description();
    Header {
        format: FORMAT,
        run: course.run.clone(),
        host: course.host.clone(),
        site: course.site.clone(),
        dry_run: course.dry_run,
        guest: description.name.clone(),
        guest_version: description.version.clone(),
        guest_digest: course.digest.clone(),
        options: course.options.clone(),
        actor: course.actor.clone(),
        controller: course.controller.clone(),
        reason: None,
        world: None,
        lock: None,
        absent: course.absent.iter().cloned().collect(),
        effects: crate::effects_digest(),
        wreimage: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// What the store of an instance holds.
struct Cell {
    border: Border,
    bounds: Bounds,
    /// Calls answered when fuel was last given.
    refuelled_at: u64,
}

/// A fresh instance that sees only what is granted.
async fn instantiate(
    engine: &Engine,
    guest: &Guest,
    course: &Arc<Course>,
    limits: Limits,
) -> wasmtime::Result<(Store<Cell>, Reimager)> {
    let mut linker: Linker<Cell> = Linker::new(&engine.wasm);
    wreimage_capability::link_types(&mut linker, |cell| &mut cell.border)?;
    for import in guest.imports() {
        if course.grants.allow(import.capability) || course.absent.contains(import.capability.name)
        {
            wreimage_capability::link(import.capability, &mut linker, |cell| &mut cell.border)?;
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

async fn run_guest(
    engine: &Engine,
    guest: &Guest,
    course: &Arc<Course>,
    limits: Limits,
) -> Result<Ended, RunError> {
    let (mut store, instance) = instantiate(engine, guest, course, limits)
        .await
        .map_err(|error| RunError::Types(format!("{error:#}")))?;
    let exports = instance.wreimage_guest_guest();
    let running = exports.call_run(&mut store);
    let cancel = course.cancel.clone();
    let answer = tokio::select! {
        answer = running => answer,
        () = async {
            cancel.cancelled().await;
            tokio::time::sleep(CANCEL_GRACE).await;
            // A mutation that is under way is never dropped; its own deadlines bound it.
            let _ended = course.mutating.lock().await;
        } => return Ok(Ended::Cancelled),
    };
    Ok(match answer {
        Ok(Ok(outcome)) => Ended::Returned(outcome),
        Ok(Err(fault)) if fault.kind == FaultKind::Cancelled && cancel.is_cancelled() => {
            Ended::Cancelled
        }
        Ok(Err(fault)) => Ended::Faulted(fault),
        Err(error) => match error.downcast::<Stop>() {
            Ok(Stop::Cancelled) => Ended::Cancelled,
            Ok(stop) => Ended::Stopped(stop),
            Err(error) => {
                let trap = explain(&error, limits);
                let panic = course.state().notes.last_error.clone();
                Ended::Trapped(match panic {
                    Some(message) => format!("{trap}; its last words: {message}"),
                    None => trap,
                })
            }
        },
    })
}

/// Ends what the guest left open; from here on only the host acts.
fn close_course(course: &Course, ended: &Ended) -> Result<(), LogError> {
    course.state().cancelled |= course.cancel.is_cancelled();
    // From here on only the host acts; what it does is not cancelled.
    let end = ended.record();
    course.state().learn_end(&end);
    if course.cancel.is_cancelled() {
        course.recorder.record(Record::Signal {
            signal: "cancel".to_owned(),
        })?;
    }
    let text = match ended {
        Ended::Returned(_) => "the guest ended without ending this step".to_owned(),
        Ended::Faulted(fault) => fault.message.clone(),
        Ended::Trapped(trap) => format!("the guest died: {trap}"),
        Ended::Stopped(stop) => stop.to_string(),
        Ended::Cancelled => "cancelled".to_owned(),
    };
    course.end_open_step(&text)?;
    course.recorder.record_durably(Record::GuestEnded(end))
}

async fn say_closing_words(
    engine: &Engine,
    guest: &Guest,
    course: &Arc<Course>,
    limits: Limits,
    ended: &Ended,
) {
    let ending = wit_ending(course, ended);
    let words = async {
        let (mut store, instance) = instantiate(engine, guest, course, limits).await?;
        instance
            .wreimage_guest_guest()
            .call_rollback(&mut store, &ending)
            .await
    };
    // A cancelled run is closed like any other; only the guest's `run` was told to stop.
    course.cancel.clear();
    let failure = match tokio::time::timeout(ROLLBACK_DEADLINE, words).await {
        Ok(Ok(Ok(()))) => None,
        Ok(Ok(Err(fault))) => Some(fault.message),
        Ok(Err(error)) => Some(explain(&error, limits)),
        Err(_) => Some(format!(
            "they took longer than {} s",
            ROLLBACK_DEADLINE.as_secs()
        )),
    };
    // Whether these are kept is told by the report.
    let _told = course.end_open_step("the guest ended without ending this step");
    if let Some(failure) = failure {
        let _told = course.warn(format!("the guest's closing words failed: {failure}"));
    }
}

fn wit_ending(course: &Course, ended: &Ended) -> wit::Ending {
    let state = course.state();
    wit::Ending {
        cause: match ended {
            Ended::Returned(outcome) => wit::Cause::Finished(outcome.clone()),
            Ended::Faulted(fault) => wit::Cause::Faulted(fault.clone()),
            Ended::Trapped(trap) => wit::Cause::Trapped(trap.clone()),
            Ended::Stopped(stop) => wit::Cause::Cancelled(stop.to_string()),
            Ended::Cancelled => wit::Cause::Cancelled("the operator cancelled the run".to_owned()),
        },
        steps: state
            .notes
            .steps
            .iter()
            .map(|step| wit::PastStep {
                phase: step.phase.clone(),
                name: step.name.clone(),
                level: step.level.word().to_owned(),
                text: step.text.clone(),
            })
            .collect(),
        reminders: state
            .notes
            .reminders
            .iter()
            .map(|reminder| wit::Reminder {
                text: reminder.text.clone(),
                command: reminder.command.clone(),
            })
            .collect(),
        undone: state
            .undo
            .closed
            .iter()
            .map(|closed| wit::Undone {
                function: closed.inverse.clone(),
                thing: closed.thing.clone(),
                state: closed.state.word().to_owned(),
                text: closed.text.clone(),
            })
            .collect(),
        extra: Vec::new(),
    }
}

/// Judges the run, writes the last record and makes the report.
fn finish(course: &Course, ended: &Ended, began: Timestamp) -> Report {
    let mut ending = judge::ending(&course.state(), ended);
    let told = course
        .recorder
        .record_durably(Record::Finished(ending.clone()));
    if let Err(error) = told
        && course.resumable
    {
        return pause(course, &Stop::Record(error), began);
    }
    if let Some(broken) = course.recorder.broken() {
        ending.summary.push_str(&format!(
            ". The record of this run is not complete: {broken}"
        ));
    }
    report(course, ending, began)
}

fn report(course: &Course, ending: Ending, began: Timestamp) -> Report {
    let mut state = course.state();
    let took = course.recorder.clock().now().duration_since(began);
    Report {
        run: course.run.clone(),
        host: course.host.clone(),
        dry_run: course.dry_run,
        ending,
        steps: std::mem::take(&mut state.notes.steps),
        notes: std::mem::take(&mut state.notes.notes),
        mutations: std::mem::take(&mut state.mutations),
        undone: state.undo.closed.clone(),
        reminders: std::mem::take(&mut state.notes.reminders),
        calls: state.calls,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(0),
    }
}
