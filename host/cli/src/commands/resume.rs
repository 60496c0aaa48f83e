//! `wreimage resume`.

use crate::actor::actor;
use crate::answer;
use crate::arguments::{Going, Place, Resume};
use crate::compiler;
use crate::conclude::conclude;
use crate::detach;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::ground::{self, notice};
use crate::launching;
use crate::load_guest;
use crate::locks;
use crate::many;
use crate::run::{consented, pace};
use crate::session::Session;
use crate::tell;
use std::sync::Arc;
use wreimage_journal::{Mode, OnFailure};
use wreimage_lab::Pace;
use wreimage_runs::{
    Backend, Batch, BatchRunner, Hosts, Launcher, OpenedRun, Questions, RunStore, RunsError,
};

/// Goes on with a run, or with all of a batch.
pub async fn resume(arguments: &Resume) -> Result<Exit, Failure> {
    let going = &arguments.going;
    let store = RunStore::new(ground::state_of(&going.place)?);
    if arguments.detach {
        return detach::resume(&store, going).await;
    }
    if let Some(batch) = Batch::read(store.state(), &going.run)? {
        return resume_batch(&store, arguments, batch).await;
    }
    if arguments.many.is_given() {
        return Err(Failure::Usage(format!(
            "{} is one run: --parallel, --max-failures and --batch-sleep are for a batch",
            going.run
        )));
    }
    let answer = match (arguments.retry, arguments.skip, arguments.abort) {
        (true, ..) => Some("retry"),
        (_, true, _) => Some("skip"),
        (_, _, true) => Some("abort"),
        _ => arguments.answer.as_deref(),
    };
    let run = find(&store, going).await?;
    let opened = OpenedRun::to_resume(&store, &run)?;
    if let Some(answer) = answer {
        answer::give_answer(store.state(), &run, opened.entries(), answer, &actor())?;
    }
    let header = opened.header();
    let pace = pace(going.speed, going.output)?;
    let backend = open_as(&going.place, &header.mode, pace, "run").await?;
    let site = going.place.site.as_deref();
    let known = opened.guest_digest();
    let (engine, guest) = match &arguments.guest {
        Some(name) => load_guest::load_guest_file(&files::guest(name)?, Some(known), site).await?,
        None => {
            let engine = compiler::engine(compiler::limits(site))?;
            let guest = wreimage_runs::load_pinned(&engine, store.state(), known).await?;
            (engine, guest)
        }
    };
    let session = session(going, &backend, Hosts::one(&header.host))?;
    launching::prepare(&backend, &store, &going.place, true);
    let questions = Questions {
        // Whoever goes on with a run without an answer wants to be asked.
        pause: header.on_failure == OnFailure::Pause && answer.is_some(),
        default: arguments.asking.default_answer.clone(),
        within: arguments.asking.answer_within,
    };
    let launcher = launching::launcher(&session, engine, backend, store);
    confirm_changed_site(&launcher, going);
    let result = launcher.resume(&guest, opened, questions).await?;
    conclude(&session, &result)
}

async fn resume_batch(
    store: &RunStore,
    arguments: &Resume,
    mut batch: Batch,
) -> Result<Exit, Failure> {
    let going = &arguments.going;
    let state = store.state();
    let for_one = arguments.answer.is_some()
        || arguments.retry
        || arguments.skip
        || arguments.abort
        || arguments.guest.is_some();
    if for_one {
        return Err(Failure::Usage(format!(
            "{0} is a batch: answers and guests are given run by run (`wreimage show {0}` lists the runs), then the batch is \
             gone on with",
            batch.id
        )));
    }
    let many = &arguments.many;
    batch.parallel = many.parallel.unwrap_or(batch.parallel);
    batch.max_failures = many.max_failures.unwrap_or(batch.max_failures);
    batch.batch_sleep = many.batch_sleep.or(batch.batch_sleep);
    if let Some(within) = arguments.asking.answer_within {
        batch.settings.answer_within = Some(within);
        batch
            .settings
            .default_answer
            .clone_from(&arguments.asking.default_answer);
    }
    let hosts = batch.hosts()?;
    let _driven = batch.drive(state).await?;
    let tasks = wreimage_runs::open_tasks(store, &batch)?;
    if tasks.is_empty() {
        return Err(RunsError::BatchEnded(batch.id).into());
    }
    let pace = pace(going.speed, going.output)?;
    let backend = open_as(&going.place, &batch.mode, pace, "batch").await?;
    let site = going.place.site.as_deref();
    let engine = compiler::engine(compiler::limits(site))?;
    let guest = wreimage_runs::load_pinned(&engine, state, &batch.guest_digest).await?;
    let session = session(going, &backend, hosts.clone())?;
    let own = backend.recorded_site();
    let launcher = launching::launcher(&session, engine, backend, store.clone());
    confirm_changed_site(&launcher, going);
    let what = format!("batch {}", batch.id);
    launcher
        .check_site(&what, &batch.recorded_site(&own), &own)
        .await?;
    launching::prepare(&launcher.environment().backend, store, &going.place, true);
    if batch.settings.no_locks {
        launching::warn_of_no_locks(&hosts);
    }
    batch.forget_cancel(state)?;
    let guest = Arc::new(guest);
    let runner = BatchRunner::new(Arc::new(launcher), guest, batch.clone(), tasks)?;
    many::conclude(&session, &batch, runner.work().await)
}

/// The run that is meant; one of another controller is named with the place of its journal.
pub async fn find(store: &RunStore, going: &Going) -> Result<String, Failure> {
    match store.find(&going.run) {
        Ok(run) => Ok(run),
        Err(error) => Err(locks::elsewhere(&going.place, &going.run)
            .await
            .unwrap_or(error.into())),
    }
}

/// The session of a run that is continued or ended.
pub fn session(going: &Going, backend: &Backend, hosts: Hosts) -> Result<Arc<Session>, Failure> {
    let yes = going.yes.as_deref().map(consented).transpose()?;
    if let Some(notice) = notice(&going.place, backend) {
        tell::line(&format!("note: {notice}"));
    }
    let pace = backend.pace();
    Ok(Session::new(going.output, going.strict, pace, hosts, yes))
}

/// Confirms a changed site file in advance, if that is given.
pub fn confirm_changed_site(launcher: &Launcher, going: &Going) {
    if going.changed_site {
        launcher.confirm_changed_site();
    }
}

/// Opens the place as it was for what was started there: a real site is never gone on with in a lab, nor the other way.
pub async fn open_as(
    place: &Place,
    mode: &Mode,
    pace: Pace,
    what: &str,
) -> Result<Backend, Failure> {
    let mut place = place.clone();
    if let (None, None, Mode::World(folder)) = (&place.world, &place.site, mode) {
        place.world = Some(folder.into());
    }
    let backend = ground::open(&place, pace).await?;
    if backend.mode() == *mode {
        return Ok(backend);
    }
    let shown = |mode: &Mode| match mode {
        Mode::Live => "real systems".to_owned(),
        Mode::Lab => "a lab that is not kept".to_owned(),
        Mode::World(folder) => format!("the lab's world in {folder}"),
    };
    Err(Failure::Usage(format!(
        "the {what} works on {}, and here it would be {}: {}",
        shown(mode),
        shown(&backend.mode()),
        match mode {
            Mode::Live => "name its site file with --site".to_owned(),
            Mode::Lab => "it cannot be gone on with".to_owned(),
            Mode::World(folder) => format!("name it with --world {folder}"),
        }
    )))
}
