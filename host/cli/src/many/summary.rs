//! The end of the work on several hosts: the reports of those that are not well, and one line for each host.

use super::Task;
use crate::arguments::Output;
use crate::drive::Driven;
use crate::exit::Exit;
use crate::face::{self, words};
use crate::failure::Failure;
use crate::session::Session;
use crate::tell::{self, Page};
use serde::{Serialize, Serializer};
use serde_json::json;
use wreimage_journal::RunOutcome;
use wreimage_runs::Batch;

/// How the work on one host ended. `None`: it did not begin, or ended before its turn to change something.
pub(super) struct Done {
    pub task: Task,
    pub driven: Option<Result<Driven, Failure>>,
    /// Its run was ended while it waited for its turn.
    pub is_kept_back: bool,
}

/// How the work on a host ended.
#[derive(Debug, Clone, Copy)]
enum HostOutcome {
    /// Its run ended so, or waits.
    Ended(RunOutcome),
    /// No run was begun, or it was ended before its turn to change something.
    NotBegun,
    /// The run failed before it had an outcome.
    NotRun,
}

impl HostOutcome {
    fn word(self) -> &'static str {
        match self {
            HostOutcome::Ended(outcome) => outcome.word(),
            HostOutcome::NotBegun => "not begun",
            HostOutcome::NotRun => "not run",
        }
    }
}

impl Serialize for HostOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// What the summary says of a host.
#[derive(Debug, Serialize)]
struct HostLine<'a> {
    host: &'a str,
    outcome: HostOutcome,
    run: Option<&'a str>,
    took_ms: u64,
    summary: String,
}

impl<'a> HostLine<'a> {
    fn without_run(host: &'a str, outcome: HostOutcome, summary: String) -> Self {
        HostLine {
            host,
            outcome,
            run: None,
            took_ms: 0,
            summary,
        }
    }
}

/// The line for a host as soon as the work on it has ended.
pub(super) fn headline(task: &Task, driven: &Result<Driven, Failure>) -> String {
    let host = task.host();
    match driven {
        Ok(driven) => {
            let ending = &driven.report.ending;
            format!(
                "{host}: {}: {}",
                ending.outcome,
                words::short(&ending.summary)
            )
        }
        Err(failure) => format!("{host}: {failure}"),
    }
}

/// Prints the reports of those that are not well, then one line a host. Returns how the program ends.
pub(super) fn conclude(
    session: &Session,
    batch: &Batch,
    mut done: Vec<Done>,
) -> Result<Exit, Failure> {
    session.face.finish();
    let order = session.hosts.names();
    done.sort_by_key(|done| order.iter().position(|host| host == done.task.host()));
    let mut text = Page::default();
    let mut exits = Vec::new();
    let mut lines = Vec::new();
    for Done {
        task,
        driven,
        is_kept_back,
    } in &done
    {
        let host = task.host();
        lines.push(match driven {
            Some(Ok(driven)) if *is_kept_back => {
                exits.push(not_begun(session));
                HostLine {
                    run: Some(&driven.report.run),
                    took_ms: driven.report.took_ms,
                    ..HostLine::without_run(host, HostOutcome::NotBegun, NOT_BEGUN.to_owned())
                }
            }
            Some(Ok(driven)) => {
                let report = &driven.report;
                let ending = &report.ending;
                exits.push(Exit::of_run(ending, session.strict));
                if !ending.outcome.is_success() {
                    text.append(&face::report(report));
                }
                HostLine {
                    host,
                    outcome: HostOutcome::Ended(ending.outcome),
                    run: Some(&report.run),
                    took_ms: report.took_ms,
                    summary: ending.summary.clone(),
                }
            }
            Some(Err(failure)) => {
                exits.push(Exit::from(failure.kind()));
                HostLine::without_run(host, HostOutcome::NotRun, failure.to_string())
            }
            None => {
                exits.push(not_begun(session));
                HostLine::without_run(host, HostOutcome::NotBegun, NOT_BEGUN.to_owned())
            }
        });
    }
    let exit = Exit::of_batch(&exits);
    if session.output == Output::Json {
        let all = json!({ "event": "summary", "batch": batch.id, "hosts": lines });
        tell::json(&all)?;
        return Ok(exit);
    }
    let is_done =
        |line: &&HostLine| matches!(line.outcome, HostOutcome::Ended(it) if it.is_success());
    let well = lines.iter().filter(is_done).count();
    text.gap();
    text.line(format!("{} hosts, {well} done", lines.len()));
    for line in &lines {
        text.line(format!(
            "  {:<12} {:<10} {:>8}  {}",
            line.host,
            line.outcome.word(),
            words::duration(line.took_ms),
            words::short(&line.summary)
        ));
        if let Some(run) = line.run {
            text.line(format!("               {run}"));
        }
    }
    tell::page(&text)?;
    let open = done.iter().any(|done| match &done.driven {
        Some(Ok(driven)) => done.is_kept_back || driven.report.ending.outcome == RunOutcome::Paused,
        _ => true,
    });
    if exit != Exit::Success {
        tell::line(&format!("next: wreimage show {}", batch.id));
    }
    if open && begin_can_go_on(batch) {
        tell::line(&format!(
            "to go on with those that wait or were not begun: wreimage resume {}",
            batch.id
        ));
    }
    Ok(exit)
}

/// Why a host was not begun.
const NOT_BEGUN: &str =
    "nothing was changed: too many runs are not well, or the batch was cancelled or stopped";

/// How a host that was not begun counts.
fn not_begun(session: &Session) -> Exit {
    if session.is_ending() {
        Exit::Cancelled
    } else {
        Exit::Refused
    }
}

fn begin_can_go_on(batch: &Batch) -> bool {
    batch.is_resumable()
}
