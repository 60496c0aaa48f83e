//! The launcher of this process, as the command line sets it up.

use crate::arguments::Place;
use crate::failure::Failure;
use crate::output::print;
use crate::setup::actor::actor;
use crate::setup::files;
use crate::setup::watcher;
use crate::terminal::session::Session;
use std::sync::Arc;
use wreimage_engine::Engine;
use wreimage_runs::{Backend, Environment, Hosts, Launcher, RunStore};

/// A launcher of runs that this session shows.
pub fn launcher(
    session: &Arc<Session>,
    engine: Engine,
    backend: Backend,
    store: RunStore,
) -> Launcher {
    Launcher::new(Environment {
        engine,
        backend,
        store,
        actor: actor(),
        controller: wreimage_runs::controller_name(),
        frontend: session.clone(),
        active: session.active.clone(),
        turns: Arc::default(),
        is_batch: session.is_many(),
    })
}

/// The runs of this place.
pub fn store(backend: &Backend) -> Result<RunStore, Failure> {
    let state = backend.state().map_or_else(files::state, Ok)?;
    Ok(RunStore::new(state))
}

/// What is done once in a process that drives runs: old records are removed, and another process looks after the runs that it
/// may leave.
pub fn prepare(backend: &Backend, store: &RunStore, place: &Place, resumable: bool) {
    wreimage_runs::forget(store, &backend.retention(), |run| backend.has_run(run));
    if resumable {
        look_after(backend, place);
    }
}

/// Starts a process that notifies of runs that this one loses, and renews what those have published that it leaves paused.
pub fn look_after(backend: &Backend, place: &Place) {
    if let Some(site) = backend.site_file()
        && (backend.notifies() || backend.renews())
    {
        watcher::watch_over_this_process(place, site);
    }
}

/// Warns that no other run is kept away.
pub fn warn_of_no_locks(hosts: &Hosts) {
    print::line(&format!(
        "WARNING: --no-locks: nothing keeps another run from {hosts} while this one is at work"
    ));
}
