//! Beginning a run on one host.

use crate::arguments::{OnFailure as Wanted, Place};
use crate::components::Named;
use crate::drive::{self, Driven, Job, What};
use crate::failure::Failure;
use crate::ground::Ground;
use crate::notice;
use crate::session::Session;
use crate::surroundings::Binding;
use crate::tell;
use std::path::Path;
use std::sync::Arc;
use wreimage_engine::{Engine, Guest, OptionValues, RunRequest};
use wreimage_journal::{Holder, Mode, OnFailure, RunDatabase};
use wreimage_runs::Hosts;
use wreimage_runs::{HostLock, LaunchSettings, RunStore, RunsError};

/// The option by which a guest names the run's task; the host binds `phabricator` to it.
pub const TASK: &str = "task";

/// What a failed step does, in the words of a journal.
pub fn on_failure(wanted: Wanted) -> OnFailure {
    match wanted {
        Wanted::Undo => OnFailure::Undo,
        Wanted::Ask => OnFailure::Ask,
        Wanted::Pause => OnFailure::Pause,
    }
}

/// What is at hand for all runs of this process.
pub struct Tools {
    pub engine: Engine,
    pub guest: Guest,
    /// The guest's file.
    pub bytes: Vec<u8>,
    pub ground: Ground,
}

impl Tools {
    /// What is done once in a process that drives runs: old records are removed, and somebody looks after those that it may
    /// leave.
    pub fn prepare(&self, place: &Place, resumable: bool) -> Result<(), Failure> {
        let store = RunStore::new(self.ground.state()?);
        wreimage_runs::forget(&store, &self.ground.retention(), |run| {
            self.ground.has_run(run)
        });
        if resumable {
            look_after(&self.ground, place);
        }
        Ok(())
    }
}

/// Starts a process that tells of runs that this one loses, and renews what those have published that it leaves paused.
pub fn look_after(ground: &Ground, place: &Place) {
    if let Some(site) = ground.site_file()
        && (ground.notifies() || ground.renews())
    {
        notice::watch_over_this_process(place, site);
    }
}

/// Begins a run on this host and drives it to its end.
pub async fn begin(
    session: &Arc<Session>,
    tools: &Tools,
    order: &LaunchSettings,
    host: &str,
    run: Option<&str>,
) -> Result<Driven, Failure> {
    let guest = &tools.guest;
    let state = tools.ground.state()?;
    refuse_volatile(&tools.ground, &state)?;
    let binding = Binding {
        host: host.to_owned(),
        task: task(&order.options)?,
    };
    let mut place = tools
        .ground
        .bind(&Named::of(guest), &binding, session.is_many())
        .await?;
    let given: Vec<(&str, String)> = order
        .options
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    if let Some(refusal) = place.grants.refuse(guest, &place.absent) {
        return Err(RunsError::NotGranted(refusal).into());
    }
    let mut request = RunRequest::new(host, &place.site);
    if let Some(run) = run {
        run.clone_into(&mut request.run);
    }
    request.options =
        OptionValues::check(guest.description(), given, &place.absent).map_err(RunsError::from)?;
    request.actor = drive::actor();
    request.controller = drive::controller();
    request.dry_run = order.dry_run;
    request.host_key.clone_from(&order.host_key);
    request.grants = place.grants.clone();
    request.absent = std::mem::take(&mut place.absent);
    request.limits = place.limits;
    request.console = place.console.take();
    place.decide(&mut request);
    request.reason.clone_from(&order.reason);
    if let Some(leasing) = &mut place.services.lease {
        leasing.take_over.clone_from(&order.take_over);
    }
    request.batch.clone_from(&order.batch);
    request.on_failure = order.on_failure;
    request.policy = place.policy.take();
    request.mode = tools.ground.mode();
    let resumable = order.is_resumable(&tools.ground.mode());
    request.lock = (resumable && !order.no_locks).then(|| lock_name(&request));

    let lock = lock(&state, &request)?;
    let journal = match prepare(&state, &request.run, tools) {
        Ok(journal) => journal,
        Err(failure) => {
            if let Some(lock) = lock {
                drive::release(lock);
            }
            return Err(failure);
        }
    };
    let job = Job {
        engine: &tools.engine,
        what: What::Begin(guest),
        request,
        place,
        journal,
        lock,
        questions: order.questions(),
        resumable,
    };
    drive::drive(session, job).await
}

/// Only the runs of a lab may be forgotten with a restart of this machine.
pub fn refuse_volatile(ground: &Ground, state: &Path) -> Result<(), Failure> {
    let there = state.ancestors().find(|it| it.exists());
    match (ground.mode(), there) {
        (Mode::Live, Some(folder)) => wreimage_journal::refuse_volatile(folder)
            .map_err(|error| RunsError::Volatile(error).into()),
        _ => Ok(()),
    }
}

fn prepare(state: &Path, run: &str, tools: &Tools) -> Result<RunDatabase, Failure> {
    let journal = RunDatabase::create(state, run)?;
    wreimage_runs::pin_guest(state, tools.guest.digest(), &tools.bytes)?;
    Ok(journal)
}

/// What the lock of a run's host is called: at a site by its name, in a lab by its world.
fn lock_name(request: &RunRequest) -> String {
    match &request.mode {
        Mode::World(folder) => format!("{folder}/{}", request.host),
        Mode::Live | Mode::Lab => format!("{}/{}", request.site, request.host),
    }
}

/// Says aloud that nobody else is kept away.
pub fn warn_of_no_locks(hosts: &Hosts) {
    tell::line(&format!(
        "WARNING: --no-locks: nothing keeps another run from {hosts} while this one is at work"
    ));
}

/// Takes the lock that a run is to have.
pub fn lock(state: &Path, request: &RunRequest) -> Result<Option<HostLock>, Failure> {
    let holder = Holder {
        run: request.run.clone(),
        actor: drive::actor(),
        controller: drive::controller(),
    };
    let store = RunStore::new(state);
    let name = request.lock.as_deref();
    let lock = name.map(|name| HostLock::take(&store, name, &holder));
    Ok(lock.transpose()?)
}

/// The task that the options name; `phabricator` is bound to nothing but the id of a task.
fn task(options: &[(String, String)]) -> Result<Option<String>, Failure> {
    let Some((_, given)) = options.iter().find(|(name, _)| name == TASK) else {
        return Ok(None);
    };
    let digits = given.strip_prefix('T').unwrap_or_default();
    let is_task = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if is_task {
        return Ok(Some(given.clone()));
    }
    let given = given.chars().take(80).collect();
    let option = TASK;
    Err(RunsError::NoTask { option, given }.into())
}
