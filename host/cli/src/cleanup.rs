//! `wreimage cleanup`.

use crate::arguments::Going;
use crate::begin::{lock, look_after};
use crate::compiler;
use crate::components::Named;
use crate::drive::{self, Job, What};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ground::{self, Ground};
use crate::load_guest;
use crate::locks;
use crate::own_site;
use crate::resume::{binding, is_of, open_as, over, pinned, request, session};
use crate::run::pace;
use crate::session::Session;
use crate::tell;
use std::sync::Arc;
use wreimage_journal::{Reopened, RunDatabase};
use wreimage_runs::Batch;
use wreimage_runs::Hosts;
use wreimage_runs::Questions;
use wreimage_runs::{RunStore, RunsError};

/// Ends a run. Nothing but its journal and its systems are needed for that: a guest that cannot be loaded says no closing
/// words.
pub async fn cleanup(going: &Going) -> Result<Exit, Failure> {
    let state = ground::state_of(&going.place)?;
    let store = RunStore::new(&state);
    if let Some(batch) = Batch::read(&state, &going.run)? {
        return cleanup_batch(&store, going, &batch).await;
    }
    one(&store, going, None).await
}

/// One after the other; what goes wrong with one disturbs no other.
async fn cleanup_batch(store: &RunStore, going: &Going, batch: &Batch) -> Result<Exit, Failure> {
    // While this process has it, nobody else begins with a further host.
    let _driven = batch.drive(store.state()).await?;
    let mut going = going.clone();
    let pace = pace(going.speed, going.output)?;
    let ground = open_as(&going.place, &batch.mode, pace, "batch").await?;
    look_after(&ground, &going.place);
    let hosts = batch.hosts()?;
    // One for all: it has the signals, and a cancel is meant for those that come as well.
    let session = session(&going, &ground, hosts)?;
    let own = ground.recorded_site();
    let what = format!("batch {}", batch.id);
    own_site::check(&session, &what, &batch.recorded_site(&own), &own).await?;
    let mut exits = Vec::new();
    for (run, entries) in store.runs_of_batch(&batch.id)? {
        if wreimage_engine::endable(&entries).is_err() {
            continue;
        }
        let ended = if session.is_ending() {
            tell::line(&format!("{run}: not ended, the cleanup was stopped before"));
            Exit::Paused
        } else {
            going.run.clone_from(&run);
            let ended = Box::pin(one(store, &going, Some((&ground, &session)))).await;
            ended.unwrap_or_else(|failure| {
                tell::line(&format!("{run}: {failure}"));
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

/// Ends one run, in the place and the session of its batch if it is one of several.
async fn one(
    store: &RunStore,
    going: &Going,
    shared: Option<(&Ground, &Arc<Session>)>,
) -> Result<Exit, Failure> {
    let state = store.state();
    let run = match store.find(&going.run) {
        Ok(run) => run,
        Err(failure) => {
            return Err(locks::elsewhere(&going.place, &going.run)
                .await
                .unwrap_or(failure.into()));
        }
    };
    let Reopened {
        database: journal,
        entries,
        cut,
    } = RunDatabase::reopen(state, &run).map_err(RunsError::from)?;
    if let Some(cut) = &cut {
        tell::line(&format!("note: {cut}"));
    }
    let header = wreimage_engine::endable(&entries)
        .map_err(|error| over(state, &run, error))?
        .clone();
    let own;
    let (ground, session) = match shared {
        Some((ground, session)) => (ground, session.clone()),
        None => {
            let pace = pace(going.speed, going.output)?;
            own = open_as(&going.place, &header.mode, pace, "run").await?;
            look_after(&own, &going.place);
            let session = session(going, &own, Hosts::one(&header.host))?;
            (&own, session)
        }
    };
    let site = going.place.site.as_deref();
    let loaded = load_guest::load_pinned(state, pinned(&entries, &header), site).await;
    let (engine, guest) = match loaded {
        Ok((engine, guest, _)) => (engine, Some(guest)),
        Err(failure) => {
            tell::line(&format!(
                "note: the guest says no closing words: {failure}. What it has set is taken back all the same"
            ));
            (compiler::engine(compiler::limits(site))?, None)
        }
    };
    let named = guest
        .as_ref()
        .map_or_else(|| Named::absent(&header), Named::of);
    let mut place = ground.bind(&named, &binding(&header), false).await?;
    is_of(&session, &header, &place).await?;
    let request = request(&header, &mut place);
    place.services.cut = cut.map(|cut| cut.to_string());
    let lock = lock(state, &request)?;
    let job = Job {
        engine: &engine,
        what: What::End(guest.as_ref(), entries),
        request,
        place,
        journal,
        lock,
        questions: Questions::default(),
        resumable: true,
    };
    let driven = drive::drive(&session, job).await?;
    if shared.is_none() {
        return drive::conclude(&session, &driven);
    }
    // Once what was shown before it is shown; others follow.
    session.face.pause();
    let told = drive::tell_end(&session, &driven);
    session.face.resume();
    told
}
