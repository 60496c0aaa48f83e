//! `wreimage show`.

use crate::arguments::Output;
use crate::arguments::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print::{self, Page};
use crate::output::words::doing;
use crate::output::{EndingEvent, fields, words};
use crate::setup::backend::state_of;
use clap::Args;
use serde_json::json;
use std::path::Path;
use wreimage_journal::{Entry, Level, Origin, Record};
use wreimage_runs::Batch;
use wreimage_runs::{RunStore, RunsError, Standing, header_of};

/// `wreimage show`.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// The run's id, or a part that only one run has; or the id of a batch: where each of its hosts stands
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Show every call as well
    #[arg(long)]
    pub calls: bool,
    #[command(flatten)]
    pub place: Place,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// `wreimage show`.
pub fn show(arguments: &Show) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let store = RunStore::new(&state);
    if let Some(batch) = Batch::read(&state, &arguments.run)? {
        return show_batch(&store, &batch, arguments.output);
    }
    let run = store.find(&arguments.run)?;
    let entries = store.read(&run)?;
    let driver = store.driver(&run)?;
    let Some(standing) = Standing::of(&entries, driver.is_some()) else {
        return Err(RunsError::NeverBegan(run).into());
    };
    let mut text = Page::default();
    match arguments.output {
        Output::Json => {
            let steps: Vec<&Record> = entries
                .iter()
                .map(|entry| &entry.record)
                .filter(|record| {
                    matches!(record, Record::StepEnded { .. } | Record::Reminder { .. })
                        || (arguments.calls && matches!(record, Record::Outcome(_)))
                })
                .collect();
            let ending = entries.iter().rev().find_map(|entry| match &entry.record {
                Record::Finished(ending) => Some(EndingEvent::of(ending)),
                _ => None,
            });
            let all = json!({ "standing": standing, "records": steps, "ending": ending });
            text.json(&all)
        }
        Output::Text => tell_run(&mut text, &standing, &entries, arguments.calls, &state),
    }
    print::page(&text)?;
    Ok(Exit::Success)
}

/// One line a host.
fn show_batch(store: &RunStore, batch: &Batch, output: Output) -> Result<Exit, Failure> {
    let runs = store.runs_of_batch(&batch.id)?;
    let hosts = batch.hosts()?;
    let mut text = Page::default();
    let mut lines = Vec::new();
    for host in hosts.names() {
        // The last one counts: a host may have been begun anew.
        let standing = runs.iter().rev().find_map(|(run, entries)| {
            let driver = store.driver(run).unwrap_or_default();
            Standing::of(entries, driver.is_some()).filter(|it| it.host == *host)
        });
        let word = standing.as_ref().map_or("not begun", |it| it.state.word());
        text.line(format!(
            "  {host:<12} {word:<10} {}",
            standing.as_ref().map(doing).unwrap_or_default()
        ));
        if let Some(standing) = &standing {
            text.line(format!("               {}", standing.run));
        }
        lines.push(json!({ "host": host, "state": word, "standing": standing }));
    }
    match output {
        Output::Json => {
            let all = json!({ "batch": batch.id, "hosts": lines });
            print::json(&all)?;
        }
        Output::Text => {
            let mut page = Page::default();
            page.line(format!("batch {} of {}", batch.id, batch.hosts));
            page.append(&text);
            print::page(&page)?;
        }
    }
    Ok(Exit::Success)
}

fn tell_run(text: &mut Page, standing: &Standing, entries: &[Entry], calls: bool, state: &Path) {
    let rehearsal = if standing.dry_run {
        " (rehearsal: nothing was changed)"
    } else {
        ""
    };
    text.line(format!("{}: {}{rehearsal}", standing.run, standing.state));
    text.line(format!(
        "  {} on {} of site {}, by {}, begun {}",
        standing.guest, standing.host, standing.site, standing.actor, standing.began
    ));
    for plug in header_of(entries).map_or(&[][..], |header| &header.plugs) {
        let (name, version, digest) = (&plug.name, &plug.version, &plug.digest);
        text.line(format!("  with {name} {version}, sha256 {digest}"));
    }
    if let Some(reason) = &standing.reason {
        text.line(format!("  because: {reason}"));
    }
    if let Some(batch) = &standing.batch {
        text.line(format!("  one of the batch {batch}"));
    }
    let first = entries.first().map(|entry| &entry.record);
    if let Some(Record::Header(header)) = first
        && header.resumable
        && !standing.locked
    {
        text.line(format!(
            "  WARNING: without a lock: nothing kept other runs from {}",
            standing.host
        ));
    }
    let blobs = state.join("runs").join(&standing.run).join("blobs");
    for entry in entries {
        match &entry.record {
            Record::StepEnded {
                level,
                phase,
                name,
                text: said,
                evidence,
                took_ms,
                component,
            } => {
                let took = match took_ms {
                    0..1000 => String::new(),
                    took => format!("  [{}]", words::duration(*took)),
                };
                let mark = words::mark(*level);
                let said = words::after(said);
                let by = words::by(component.as_deref());
                text.line(format!("  {mark:<4} {phase}: {name}{by}{said}{took}"));
                for (name, value) in evidence {
                    let blob = blobs.join(value);
                    let is_digest = value.len() == 64 && !value.contains(['/', '.']);
                    if is_digest && blob.is_file() {
                        text.line(format!("         {name}: {}", blob.display()));
                    } else {
                        text.line(format!("         {name}: {}", words::short(value)));
                    }
                }
            }
            Record::Outcome(outcome) if calls => {
                let by = match (outcome.origin, &outcome.component) {
                    (Origin::Guest, None) => String::new(),
                    (Origin::Guest, Some(component)) => format!(" by {component}"),
                    (Origin::Host, _) => " by the host".to_owned(),
                    (Origin::Undo, _) => " to take back".to_owned(),
                };
                let answer = match &outcome.result {
                    Ok(value) => fields::in_words(value).to_string(),
                    Err(fault) => format!("! {}: {}", fault.code, fault.message),
                };
                text.line(format!(
                    "       {} {}{by} {} = {}",
                    outcome.call,
                    outcome.function,
                    words::short(&fields::in_words(&outcome.arguments).to_string()),
                    words::short(&answer)
                ));
            }
            Record::Note {
                level: level @ (Level::Warning | Level::Failure),
                text: said,
                component,
                ..
            } => {
                let (mark, by) = (words::mark(*level), words::by(component.as_deref()));
                text.line(format!("  {mark:<4} {said}{by}"));
            }
            Record::Reminder {
                text: said,
                command,
                ..
            } => {
                text.line(format!("  left {said}"));
                text.line(format!("         {command}"));
            }
            Record::Resumed {
                actor, controller, ..
            } => text.line(format!("  ---- resumed by {actor} on {controller}")),
            Record::Paused { why } => text.line(format!("  WAIT {why}")),
            Record::Finished(ending) => {
                text.line(format!("  {}: {}", ending.outcome, ending.summary));
                for left in &ending.left {
                    text.line(format!("  LEFT {left}"));
                }
            }
            _ => {}
        }
    }
    if let Some(whom) = &standing.waits_for {
        text.line(format!("  waits for {whom}"));
    }
    if let Some(question) = &standing.question {
        text.line(format!("  asks: {}", question.question));
        for (key, label) in &question.choices {
            text.line(format!("    {key:<10} {label}"));
        }
    }
}
