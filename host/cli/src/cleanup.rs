//! `wreimage cleanup`.

use crate::arguments::Going;
use crate::batch::Batch;
use crate::begin::lock;
use crate::drive::{self, Job, What};
use crate::exit::{Exit, Failure};
use crate::hosts::Hosts;
use crate::look;
use crate::prompt::Questions;
use crate::resume::{binding, is_of, is_pinned, open, open_as, over, pinned, request, session};
use crate::run::pace;
use crate::surroundings::{self, Named};
use crate::tell;
use std::path::Path;
use wreimage_journal::Mode;

/// Ends a run. Nothing but its journal and its systems are needed for that: a guest that cannot be loaded says no closing
/// words.
pub async fn cleanup(going: &Going) -> Result<Exit, Failure> {
    let state = surroundings::state_of(&going.place)?;
    if let Some(batch) = Batch::read(&state, &going.run)? {
        return cleanup_batch(&state, going, &batch).await;
    }
    one(&state, going).await
}

/// One after the other; what goes wrong with one disturbs no other.
async fn cleanup_batch(state: &Path, going: &Going, batch: &Batch) -> Result<Exit, Failure> {
    // While this process has it, nobody else begins with a further host.
    let _driven = batch.drive(state).await?;
    let mut going = going.clone();
    if going.place.site.is_none() && batch.mode == Mode::Live {
        going.place.site.clone_from(&batch.site);
    }
    let mut exit = None;
    for (run, entries) in look::runs_of(state, &batch.id)? {
        if wreimage_engine::endable(&entries).is_err() {
            continue;
        }
        going.run.clone_from(&run);
        let ended = Box::pin(one(state, &going))
            .await
            .unwrap_or_else(|failure| {
                tell::line(&format!("{run}: {failure}"));
                failure.exit()
            });
        exit = Some(exit.map_or(ended, |exit: Exit| exit.worse(ended)));
    }
    exit.ok_or_else(|| Failure::refused(format!("all runs of the batch {} have ended", batch.id)))
}

async fn one(state: &Path, going: &Going) -> Result<Exit, Failure> {
    let run = look::find(state, &going.run)?;
    let (journal, entries) = open(state, &run)?;
    let header = wreimage_engine::endable(&entries)
        .map_err(|error| over(state, &run, error))?
        .clone();
    let pace = pace(going.speed, going.output)?;
    let ground = open_as(&going.place, &header.mode, pace, "run").await?;
    let path = pinned(state, &entries, &header);
    let known = wreimage_engine::guest_digest(&entries);
    let loaded = surroundings::load_guest_file(&path, known).await;
    let loaded = loaded.and_then(|(engine, guest, _)| {
        is_pinned(&guest, &entries, &path)?;
        Ok((engine, guest))
    });
    let (engine, guest) = match loaded {
        Ok((engine, guest)) => (engine, Some(guest)),
        Err(failure) => {
            tell::line(&format!(
                "note: the guest says no closing words: {failure}. What it has set is taken back all the same"
            ));
            (surroundings::engine()?, None)
        }
    };
    let named = guest
        .as_ref()
        .map_or_else(|| Named::absent(&header), Named::of);
    let mut place = ground.bind(&named, &binding(&header), false).await?;
    is_of(&header, &place)?;
    let request = request(&header, &mut place);
    let lock = lock(state, &request)?;
    let session = session(going, &ground, Hosts::one(&header.host))?;
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
    drive::conclude(&session, &driven)
}
