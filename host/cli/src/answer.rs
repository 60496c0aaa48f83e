//! `wreimage answer` and `wreimage cancel`: what is left for the driver of a run.

use crate::arguments::{Answer, Cancel};
use crate::batch::Batch;
use crate::drive;
use crate::exit::{Exit, Failure};
use crate::ground::state_of;
use crate::look::{self, OpenQuestion};
use std::path::Path;
use wreimage_journal::Entry;

/// `wreimage answer`.
pub fn answer(arguments: &Answer) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let run = look::find(&state, &arguments.run)?;
    let entries = wreimage_journal::read(&state, &run).map_err(look::unreadable)?;
    give_answer(&state, &run, &entries, &arguments.choice, &drive::actor())?;
    let driven = wreimage_journal::driver(&state, &run).map_err(look::unreadable)?;
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
    let Some(open) = look::open_question(entries) else {
        return Err(Failure::usage(format!("the run {run} waits for no answer")));
    };
    let question = &open.question;
    if !question.choices.iter().any(|(key, _)| key == choice) {
        let keys: Vec<&str> = question
            .choices
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        return Err(Failure::usage(format!(
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
        .map_err(look::unreadable)?;
    if left {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "the run {run} asks something else by now, and `{choice}` was not handed on: `wreimage show {run}` shows the question"
    )))
}

/// `wreimage cancel`.
pub fn cancel(arguments: &Cancel) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    if let Some(batch) = Batch::read(&state, &arguments.run)? {
        return cancel_batch(&state, &batch);
    }
    let run = look::find(&state, &arguments.run)?;
    let driven = wreimage_journal::driver(&state, &run).map_err(look::unreadable)?;
    let Some(driver) = driven else {
        return Err(Failure::refused(format!(
            "nobody drives the run {run}: `wreimage cleanup {run}` ends it, if it has not ended"
        )));
    };
    wreimage_journal::leave_cancel(&state, &run, &drive::actor()).map_err(look::unreadable)?;
    crate::tell::line(&format!(
        "{run}: {driver} is told to cancel it; `wreimage attach {run}` shows how it ends"
    ));
    Ok(Exit::Success)
}

fn cancel_batch(state: &Path, batch: &Batch) -> Result<Exit, Failure> {
    let actor = drive::actor();
    batch.leave_cancel(state, &actor)?;
    let mut told = 0;
    for (run, _) in look::runs_of(state, &batch.id)? {
        if let Ok(Some(_)) = wreimage_journal::driver(state, &run) {
            wreimage_journal::leave_cancel(state, &run, &actor).map_err(look::unreadable)?;
            told += 1;
        }
    }
    crate::tell::line(&format!(
        "{0}: no further run begins, and {told} that go on are told to cancel; `wreimage show {0}` shows how they end",
        batch.id
    ));
    Ok(Exit::Success)
}
