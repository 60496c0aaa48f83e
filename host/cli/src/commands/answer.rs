//! `wreimage answer`: an answer is left for the driver of a run.

use crate::arguments::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::setup::actor::actor;
use crate::setup::backend::state_of;
use clap::Args;
use std::path::Path;
use wreimage_journal::Entry;
use wreimage_runs::{OpenQuestion, RunStore, RunsError, open_question};

/// `wreimage answer`.
#[derive(Debug, Clone, Args)]
pub struct Answer {
    /// The run's id, or a part that only one run has
    #[arg(value_name = "RUN")]
    pub run: String,
    /// One of the answers that the question offers
    #[arg(value_name = "CHOICE")]
    pub choice: String,
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage answer`.
pub fn answer(arguments: &Answer) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let store = RunStore::new(&state);
    let run = store.find(&arguments.run)?;
    let entries = store.read(&run)?;
    give_answer(&state, &run, &entries, &arguments.choice, &actor())?;
    let driven = store.driver(&run)?;
    crate::output::print::line(&match driven {
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
