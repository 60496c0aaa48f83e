//! `wreimage cancel`: the wish to cancel is left for the driver of a run.

use crate::arguments::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::setup::actor::actor;
use crate::setup::backend::state_of;
use clap::Args;
use wreimage_runs::{Batch, RunStore, RunsError};

/// `wreimage cancel`.
#[derive(Debug, Clone, Args)]
pub struct Cancel {
    /// The run's id, or a part that only one run has; or the id of a batch: all of its runs, and no further one begins
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage cancel`.
pub fn cancel(arguments: &Cancel) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let store = RunStore::new(&state);
    if let Some(batch) = Batch::read(&state, &arguments.run)? {
        return cancel_batch(&store, &batch);
    }
    let run = store.find(&arguments.run)?;
    let driven = store.driver(&run)?;
    let Some(driver) = driven else {
        return Err(Failure::Refused(format!(
            "nobody drives the run {run}: `wreimage cleanup {run}` ends it, if it has not ended"
        )));
    };
    wreimage_journal::leave_cancel(&state, &run, &actor()).map_err(RunsError::from)?;
    crate::output::print::line(&format!(
        "{run}: {driver} is told to cancel it; `wreimage attach {run}` shows how it ends"
    ));
    Ok(Exit::Success)
}

fn cancel_batch(store: &RunStore, batch: &Batch) -> Result<Exit, Failure> {
    let actor = actor();
    batch.leave_cancel(store.state(), &actor)?;
    let mut told = 0;
    for (run, _) in store.runs_of_batch(&batch.id)? {
        if let Ok(Some(_)) = store.driver(&run) {
            wreimage_journal::leave_cancel(store.state(), &run, &actor).map_err(RunsError::from)?;
            told += 1;
        }
    }
    crate::output::print::line(&format!(
        "{0}: no further run begins, and {told} that go on are told to cancel; `wreimage show {0}` shows how they end",
        batch.id
    ));
    Ok(Exit::Success)
}
