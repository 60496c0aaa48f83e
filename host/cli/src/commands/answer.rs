//! `wreimage answer` and `wreimage cancel`: what is left for the driver of a run.

use crate::actor::actor;
use crate::arguments::{Answer, Cancel};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ground::state_of;
use std::path::Path;
use wreimage_journal::Entry;
use wreimage_runs::Batch;
use wreimage_runs::{OpenQuestion, RunStore, RunsError, open_question};

/// `wreimage answer`.
pub fn answer(arguments: &Answer) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let store = RunStore::new(&state);
    let run = store.find(&arguments.run)?;
    let entries = store.read(&run)?;
    give_answer(&state, &run, &entries, &arguments.choice, &actor())?;
    let driven = store.driver(&run)?;
    crate::tell::line(&match driven {
        Some(_) => format!("{run}: answered `{}`", arguments.choice),
        None => format!(
            "{run}: `{}` is kept; nobody drives the run now: wreimage resume {run}",
            arguments.choice
        ),
    });
    Ok(Exit::Success)
}

/// Leaves an answer to the question that is open.
pub fn give_answer(
    state: &Path,
    run: &str,
    entries: &[Entry],
    choice: &str,
    actor: &str,
) -> Result<(), Failure> {
    let Some(open) = open_question(entries) else {
        return Err(Failure::Usage(format!("the run {run} waits for no answer")));
    };
    let question = &open.question;
    if !question.choices.iter().any(|(key, _)| key == choice) {
        let keys: Vec<&str> = question
            .choices
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        return Err(Failure::Usage(format!(
            "{choice:?} is no answer to: {}; answer one of {}",
            question.question,
            keys.join(", ")
        )));
    }
    leave(state, run, &open, choice, actor)
}

/// Leaves an answer that the question offers, unless another question has been asked meanwhile.
pub fn leave(
    state: &Path,
    run: &str,
    open: &OpenQuestion,
    choice: &str,
    actor: &str,
) -> Result<(), Failure> {
    let call = open.question.call;
    let left = wreimage_journal::leave_answer(state, run, open.number, call, choice, actor)
        .map_err(RunsError::from)?;
    if left {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "the run {run} asks something else by now, and `{choice}` was not handed on: `wreimage show {run}` shows the question"
    )))
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
    crate::tell::line(&format!(
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
    crate::tell::line(&format!(
        "{0}: no further run begins, and {told} that go on are told to cancel; `wreimage show {0}` shows how they end",
        batch.id
    ));
    Ok(Exit::Success)
}
