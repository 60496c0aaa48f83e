//! `wreimage resume`.

use crate::arguments::Going;
use crate::arguments::{Asking, ManyAgain, pace};
use crate::commands::answer;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::setup::actor::actor;
use crate::setup::backend;
use crate::setup::compiler;
use crate::setup::continuing::{confirm_changed_site, find, open_as, session};
use crate::setup::detach;
use crate::setup::files;
use crate::setup::launching;
use crate::setup::load_guest;
use crate::terminal::batch_end;
use crate::terminal::conclude::conclude;
use clap::Args;
use std::sync::Arc;
use wreimage_journal::OnFailure;
use wreimage_runs::{Batch, BatchRunner, Hosts, OpenedRun, Questions, RunStore, RunsError};

/// `wreimage resume`.
#[derive(Debug, Clone, Args)]
pub struct Resume {
    #[command(flatten)]
    pub going: Going,
    /// The answer to the question that the run waits for
    #[arg(long, value_name = "CHOICE")]
    pub answer: Option<String>,
    /// Do the step that failed once more
    #[arg(long, conflicts_with_all = ["answer", "skip", "abort"])]
    pub retry: bool,
    /// Go on without the step that failed
    #[arg(long, conflicts_with_all = ["answer", "abort"])]
    pub skip: bool,
    /// End the run, and take back what must not stay
    #[arg(long, conflicts_with = "answer")]
    pub abort: bool,
    #[command(flatten)]
    pub asking: Asking,
    #[command(flatten)]
    pub many: ManyAgain,
    /// Go on in the background; `wreimage attach` shows the run
    #[arg(long)]
    pub detach: bool,
    /// Go on with another guest file, if it does what the journal says
    #[arg(long, value_name = "FILE")]
    pub guest: Option<String>,
}

/// Goes on with a run, or with all of a batch.
pub async fn resume(arguments: &Resume) -> Result<Exit, Failure> {
    let going = &arguments.going;
    let store = RunStore::new(backend::state_of(&going.place)?);
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
    batch_end::conclude(&session, &batch, runner.work().await)
}
