//! `wreimage attach`: a run of another process, as if it were this one's.

use crate::arguments::Output;
use crate::arguments::Place;
use crate::commands::answer;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print::{self, Page};
use crate::output::{self, Face, Source};
use crate::setup::actor::actor;
use crate::setup::backend::state_of;
use crate::terminal::prompt;
use crate::terminal::session::Keyboard;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use wreimage_journal::{Entry, Record};
use wreimage_lab::Pace;
use wreimage_runs::Batch;
use wreimage_runs::{OpenQuestion, RunStore, RunsError, header_of, open_question};

/// `wreimage attach`.
#[derive(Debug, Clone, Args)]
pub struct Attach {
    /// The run's id, or a part that only one run has; or the id of a batch: all of its runs
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub place: Place,
    /// How to tell what happens: text for people, json for one event per line on stdout
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
    /// Exit with 10 when there were warnings
    #[arg(long)]
    pub strict: bool,
}

/// How often its journal is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Shows a run until it ends or waits, and hands on what is answered here.
pub async fn attach(arguments: &Attach) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let store = RunStore::new(&state);
    if let Some(batch) = Batch::read(&state, &arguments.run)? {
        return attach_batch(&store, &batch, arguments).await;
    }
    let run = store.find(&arguments.run)?;
    let face = output::choose(arguments.output, Pace::Real, false);
    let shown = tokio::select! {
        shown = show(&store, &run, &face, arguments.output) => Some(shown?),
        _ = tokio::signal::ctrl_c() => None,
    };
    face.finish();
    let Some(entries) = shown else {
        print::line(&format!(
            "{run} goes on; to see it again: wreimage attach {run}; to cancel it: wreimage cancel {run}"
        ));
        return Ok(Exit::Success);
    };
    match entries.last().map(|entry| &entry.record) {
        Some(Record::Finished(ending)) => {
            if arguments.output == Output::Text {
                let mut text = Page::default();
                text.gap();
                text.line(format!("{}: {}", ending.outcome, ending.summary));
                for left in &ending.left {
                    text.line(format!("  LEFT {left}"));
                }
                print::page(&text)?;
            }
            Ok(Exit::of_run(ending, arguments.strict))
        }
        _ => {
            print::line(&format!(
                "nobody drives the run; to go on: wreimage resume {run}; to end it: wreimage cleanup {run}"
            ));
            Ok(Exit::Paused)
        }
    }
}

/// Shows all runs of a batch until its process is gone. Their questions are answered one by one, with `wreimage answer`.
async fn attach_batch(
    store: &RunStore,
    batch: &Batch,
    arguments: &Attach,
) -> Result<Exit, Failure> {
    let face = output::choose(arguments.output, Pace::Real, true);
    let shown = tokio::select! {
        shown = show_batch(store, batch, &face) => Some(shown?),
        _ = tokio::signal::ctrl_c() => None,
    };
    face.finish();
    let id = &batch.id;
    let Some(runs) = shown else {
        print::line(&format!(
            "{id} goes on; to see it again: wreimage attach {id}; to cancel it: wreimage cancel {id}"
        ));
        return Ok(Exit::Success);
    };
    let mut exits = Vec::new();
    for (run, entries) in &runs {
        let ended = match entries.last().map(|entry| &entry.record) {
            Some(Record::Finished(ending)) => Exit::of_run(ending, arguments.strict),
            _ => {
                print::line(&format!(
                    "nobody drives {run}; to go on with it and with all that wait: wreimage resume {id}"
                ));
                Exit::Paused
            }
        };
        exits.push(ended);
    }
    if arguments.output == Output::Text {
        print::line(&format!("how its hosts stand: wreimage show {id}"));
    }
    Ok(Exit::of_batch(&exits))
}

/// The runs with their records when the process of the batch is gone.
async fn show_batch(
    store: &RunStore,
    batch: &Batch,
    face: &Arc<dyn Face>,
) -> Result<Vec<(String, Vec<Entry>)>, Failure> {
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        // First whether it is there: what was written before that is then complete.
        let driven = batch.is_driven(store.state());
        let runs = store.runs_of_batch(&batch.id)?;
        for (run, entries) in &runs {
            let Some(header) = header_of(entries) else {
                continue;
            };
            let from = Source::new(run, &header.host);
            let told = told.entry(run.clone()).or_default();
            for entry in entries.iter().skip(*told) {
                face.entry(&from, entry);
            }
            *told = entries.len();
        }
        if !driven {
            return Ok(runs);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The records when the run has ended, or nobody drives it any more.
async fn show(
    store: &RunStore,
    run: &str,
    face: &Arc<dyn Face>,
    output: Output,
) -> Result<Vec<Entry>, Failure> {
    let keyboard = Keyboard::default();
    let mut asked = BTreeSet::new();
    let mut told = 0;
    loop {
        // First whether somebody drives it: what was written before that is then complete.
        let driver = store.driver(run)?;
        let entries = store.read(run)?;
        let Some(header) = header_of(&entries) else {
            if driver.is_none() {
                return Err(RunsError::NeverBegan(run.to_owned()).into());
            }
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let from = Source::new(run, &header.host);
        for entry in entries.iter().skip(told) {
            face.entry(&from, entry);
        }
        told = entries.len();
        if driver.is_none() {
            return Ok(entries);
        }
        if let Some(open) = open_question(&entries)
            && output == Output::Text
            && prompt::is_operator_there()
            && asked.insert(open.number)
        {
            answer(store, run, face, &keyboard, &open).await?;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Asks here, until somebody has answered here or elsewhere.
async fn answer(
    store: &RunStore,
    run: &str,
    face: &Arc<dyn Face>,
    keyboard: &Keyboard,
    open: &OpenQuestion,
) -> Result<(), Failure> {
    let answered = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let entries = store.read(run).unwrap_or_default();
            let is_open = open_question(&entries).is_some_and(|it| it.number == open.number);
            if !is_open || !matches!(store.driver(run), Ok(Some(_))) {
                return None;
            }
        }
    };
    let typed = tokio::select! {
        typed = prompt::typed(keyboard, face, &open.question) => typed,
        none = answered => none,
    };
    match typed {
        Some(choice) => answer::leave(store.state(), run, open, &choice, &actor()),
        None => Ok(()),
    }
}
