//! `wreimage cleanup`.

use crate::arguments::Going;
use crate::arguments::pace;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use crate::setup::backend;
use crate::setup::compiler;
use crate::setup::continuing::{confirm_changed_site, find, open_as, session};
use crate::setup::launching;
use crate::terminal::conclude::{conclude, print_end};
use crate::terminal::session::Session;
use clap::Args;
use wreimage_runs::{
    Batch, Hosts, Launcher, LoadedGuest, OpenedRun, RunResult, RunStore, RunsError,
};

/// `wreimage cleanup`.
#[derive(Debug, Clone, Args)]
pub struct Cleanup {
    #[command(flatten)]
    pub going: Going,
}

/// Ends a run. Nothing but its journal and its systems are needed for that: a guest that cannot be loaded says no closing
/// words.
pub async fn cleanup(going: &Going) -> Result<Exit, Failure> {
    let store = RunStore::new(backend::state_of(&going.place)?);
    if let Some(batch) = Batch::read(store.state(), &going.run)? {
        return cleanup_batch(&store, going, &batch).await;
    }
    let run = find(&store, going).await?;
    let opened = open(&store, &run)?;
    let pace = pace(going.speed, going.output)?;
    let backend = open_as(&going.place, &opened.header().mode, pace, "run").await?;
    launching::look_after(&backend, &going.place);
    let session = session(going, &backend, Hosts::one(&opened.header().host))?;
    let engine = compiler::engine(compiler::limits(going.place.site.as_deref()))?;
    let launcher = launching::launcher(&session, engine, backend, store);
    confirm_changed_site(&launcher, going);
    let result = end(&launcher, opened).await?;
    conclude(&session, &result)
}

/// One after the other; what goes wrong with one disturbs no other.
async fn cleanup_batch(store: &RunStore, going: &Going, batch: &Batch) -> Result<Exit, Failure> {
    // While this process has it, nobody else begins with a further host.
    let _driven = batch.drive(store.state()).await?;
    let pace = pace(going.speed, going.output)?;
    let backend = open_as(&going.place, &batch.mode, pace, "batch").await?;
    launching::look_after(&backend, &going.place);
    // One for all: it has the signals, and a cancel is meant for those that come as well.
    let session = session(going, &backend, batch.hosts()?)?;
    let own = backend.recorded_site();
    let engine = compiler::engine(compiler::limits(going.place.site.as_deref()))?;
    let launcher = launching::launcher(&session, engine, backend, store.clone());
    confirm_changed_site(&launcher, going);
    let what = format!("batch {}", batch.id);
    launcher
        .check_site(&what, &batch.recorded_site(&own), &own)
        .await?;
    let mut exits = Vec::new();
    for (run, entries) in store.runs_of_batch(&batch.id)? {
        if wreimage_engine::endable(&entries).is_err() {
            continue;
        }
        let ended = if session.active.is_ending() {
            print::line(&format!("{run}: not ended, the cleanup was stopped before"));
            Exit::Paused
        } else {
            let ended = Box::pin(one_of_batch(&session, &launcher, &run)).await;
            ended.unwrap_or_else(|failure| {
                print::line(&format!("{run}: {failure}"));
                Exit::from(failure.kind())
            })
        };
        exits.push(ended);
    }
    session.face.finish();
    if exits.is_empty() {
        return Err(RunsError::BatchEnded(batch.id.clone()).into());
    }
    Ok(Exit::of_batch(&exits))
}

async fn one_of_batch(session: &Session, launcher: &Launcher, run: &str) -> Result<Exit, Failure> {
    let opened = open(&launcher.environment().store, run)?;
    let result = end(launcher, opened).await?;
    // Once what was shown before it is shown; others follow.
    session.face.pause();
    let printed = print_end(session, &result);
    session.face.resume();
    printed
}

fn open(store: &RunStore, run: &str) -> Result<OpenedRun, Failure> {
    let opened = OpenedRun::to_end(store, run)?;
    if let Some(cut) = opened.cut() {
        print::line(&format!("note: {cut}"));
    }
    Ok(opened)
}

/// Ends a run, with the closing words of its guest if that can be loaded.
async fn end(launcher: &Launcher, opened: OpenedRun) -> Result<RunResult, Failure> {
    let environment = launcher.environment();
    let state = environment.store.state();
    let digest = opened.guest_digest();
    let loaded = wreimage_runs::load_pinned(&environment.engine, state, digest).await;
    let guest: Option<LoadedGuest> = match loaded {
        Ok(guest) => Some(guest),
        Err(error) => {
            print::line(&format!(
                "note: the guest says no closing words: {error}. What it has set is taken back all the same"
            ));
            None
        }
    };
    Ok(launcher.cleanup(guest.as_ref(), opened).await?)
}
