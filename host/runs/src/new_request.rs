//! What a new run is started with.

use crate::bound_backend::BoundBackend;
use crate::environment::Environment;
use crate::error::RunsError;
use crate::launch_settings::LaunchSettings;
use wreimage_engine::{Guest, OptionValues, RunRequest};
use wreimage_journal::Mode;

/// The option by which a guest names the run's task; the host binds `phabricator` to it.
pub const TASK: &str = "task";

/// What a new run is started with.
pub(crate) fn new_request(
    environment: &Environment,
    bound: &mut BoundBackend,
    guest: &Guest,
    settings: &LaunchSettings,
    host: &str,
    run: Option<&str>,
) -> Result<RunRequest, RunsError> {
    if let Some(refusal) = bound.grants.refuse(guest, &bound.absent) {
        return Err(RunsError::NotGranted(refusal));
    }
    let mut request = RunRequest::new(host, &bound.site);
    if let Some(run) = run {
        run.clone_into(&mut request.run);
    }
    let given: Vec<(&str, String)> = settings
        .options
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    request.options = OptionValues::check(guest.description(), given, &bound.absent)?;
    request.actor.clone_from(&environment.actor);
    request.controller.clone_from(&environment.controller);
    request.dry_run = settings.dry_run;
    request.host_key.clone_from(&settings.host_key);
    request.absent = std::mem::take(&mut bound.absent);
    request.reason.clone_from(&settings.reason);
    if let Some(leasing) = &mut bound.services.lease {
        leasing.take_over.clone_from(&settings.take_over);
    }
    request.batch.clone_from(&settings.batch);
    request.on_failure = settings.on_failure;
    request.policy = bound.policy.take();
    request.mode = environment.backend.mode();
    let is_locked = settings.is_resumable(&request.mode) && !settings.no_locks;
    request.lock = is_locked.then(|| lock_name(&request));
    Ok(request)
}

/// What the lock of a run's host is called: at a site by its name, in a lab by its world.
fn lock_name(request: &RunRequest) -> String {
    match &request.mode {
        Mode::World(folder) => format!("{folder}/{}", request.host),
        Mode::Live | Mode::Lab => format!("{}/{}", request.site, request.host),
    }
}

/// The task that the options name; `phabricator` is bound to nothing but the id of a task.
pub(crate) fn task(options: &[(String, String)]) -> Result<Option<String>, RunsError> {
    let Some((_, given)) = options.iter().find(|(name, _)| name == TASK) else {
        return Ok(None);
    };
    if wreimage_facts::task::is_task_id(given) {
        return Ok(Some(given.clone()));
    }
    Err(RunsError::NoTask {
        option: TASK,
        given: given.chars().take(80).collect(),
    })
}
