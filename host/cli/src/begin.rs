//! Beginning a run on one host.

use crate::arguments::{OnFailure as Wanted, Place};
use crate::components::Named;
use crate::drive::{self, Driven, Job, What};
use crate::exit::Failure;
use crate::files;
use crate::ground::Ground;
use crate::hosts::Hosts;
use crate::lock::HostLock;
use crate::notice;
use crate::prompt::Questions;
use crate::retention;
use crate::session::Session;
use crate::surroundings::Binding;
use crate::tell;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wreimage_engine::{Engine, Guest, OptionValues, RunRequest};
use wreimage_journal::{Holder, Mode, OnFailure, RunDatabase};

/// The option by which a guest names the run's task; the host binds `phabricator` to it.
pub const TASK: &str = "task";

/// What is to be done on each host: all that a run is started with, but for its host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// Options of the guest, as given.
    pub options: Vec<(String, String)>,
    pub dry_run: bool,
    pub no_locks: bool,
    /// The host key that the operator has given; for one host.
    #[serde(default)]
    pub host_key: Option<String>,
    /// The runs over whose stale claims these may begin.
    #[serde(default)]
    pub take_over: Vec<String>,
    pub reason: Option<String>,
    pub on_failure: OnFailure,
    pub default_answer: Vec<String>,
    pub answer_within: Option<Duration>,
    /// The batch that the runs are of, when there are several.
    pub batch: Option<String>,
}

impl Order {
    /// What becomes of questions.
    pub fn questions(&self) -> Questions {
        Questions {
            pause: self.on_failure == OnFailure::Pause,
            default: self.default_answer.clone(),
            within: self.answer_within,
        }
    }
}

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
        retention::forget(&self.ground.state()?, &self.ground.retention(), |header| {
            self.ground.has_run(header)
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
    order: &Order,
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
        return Err(Failure::refused(refusal));
    }
    let mut request = RunRequest::new(host, &place.site);
    if let Some(run) = run {
        run.clone_into(&mut request.run);
    }
    request.options = OptionValues::check(guest.description(), given, &place.absent)
        .map_err(|error| Failure::usage(error.to_string()))?;
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
    let resumable = is_resumable(&tools.ground, order);
    request.lock = (resumable && !order.no_locks).then(|| lock_name(&request));

    let lock = lock(&state, &request)?;
    let journal = match prepare(&state, &request.run, tools) {
        Ok(journal) => journal,
        Err(failure) => {
            if let Some(lock) = lock {
                lock.release();
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
            .map_err(|error| Failure::usage(error.to_string())),
        _ => Ok(()),
    }
}

/// Whether another process can go on with the runs.
pub fn is_resumable(ground: &Ground, order: &Order) -> bool {
    !order.dry_run && ground.mode() != Mode::Lab
}

fn prepare(state: &Path, run: &str, tools: &Tools) -> Result<RunDatabase, Failure> {
    let journal =
        RunDatabase::create(state, run).map_err(|error| Failure::usage(error.to_string()))?;
    files::pin_guest(state, tools.guest.digest(), &tools.bytes)?;
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
    let name = request.lock.as_deref();
    name.map(|name| HostLock::take(state, name, &holder))
        .transpose()
}

/// The task that the options name; `phabricator` is bound to nothing but the id of a task.
fn task(options: &[(String, String)]) -> Result<Option<String>, Failure> {
    let Some((_, given)) = options.iter().find(|(name, _)| name == TASK) else {
        return Ok(None);
    };
    if wreimage_facts::task::is_task_id(given) {
        return Ok(Some(given.clone()));
    }
    let shown: String = given.chars().take(80).collect();
    Err(Failure::usage(format!(
        "--{TASK} takes the id of a task such as T12345, not {shown:?}; nothing was touched"
    )))
}
