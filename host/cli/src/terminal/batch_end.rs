//! The end of the work on several hosts: the reports of those that are not well, and one line for each host.

use crate::arguments::Output;
use crate::exit::Exit;
use crate::failure::{Failure, FailureKind};
use crate::output::print::{self, Page};
use crate::output::{self, words};
use crate::terminal::session::Session;
use serde::{Serialize, Serializer};
use serde_json::json;
use wreimage_journal::RunOutcome;
use wreimage_runs::{Batch, HostResult};

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
pub fn headline(result: &HostResult) -> String {
    let host = result.task.host();
    match &result.result {
        Some(Ok(run)) if !result.is_kept_back => {
            let ending = &run.report.ending;
            let summary = words::short(&ending.summary);
            format!("{host}: {}: {summary}", ending.outcome)
        }
        Some(Err(error)) if !result.is_kept_back => format!("{host}: {error}"),
        _ => format!("{host}: not begun: nothing was changed"),
    }
}

/// Prints the reports of those that are not well, then one line a host. Returns how the program ends.
pub fn conclude(
    session: &Session,
    batch: &Batch,
    results: Vec<HostResult>,
) -> Result<Exit, Failure> {
    session.face.finish();
    let mut text = Page::default();
    let mut exits = Vec::new();
    let mut lines = Vec::new();
    for HostResult {
        task,
        result,
        is_kept_back,
    } in &results
    {
        let host = task.host();
        lines.push(match result {
            Some(Ok(run)) if *is_kept_back => {
                exits.push(not_begun(session));
                HostLine {
                    run: Some(&run.report.run),
                    took_ms: run.report.took_ms,
                    ..HostLine::without_run(host, HostOutcome::NotBegun, NOT_BEGUN.to_owned())
                }
            }
            Some(Ok(run)) => {
                let report = &run.report;
                let ending = &report.ending;
                exits.push(Exit::of_run(ending, session.strict));
                if !ending.outcome.is_success() {
                    text.append(&output::report(report));
                }
                HostLine {
                    host,
                    outcome: HostOutcome::Ended(ending.outcome),
                    run: Some(&report.run),
                    took_ms: report.took_ms,
                    summary: ending.summary.clone(),
                }
            }
            Some(Err(error)) => {
                exits.push(Exit::from(FailureKind::from(error.kind())));
                HostLine::without_run(host, HostOutcome::NotRun, error.to_string())
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
        print::json(&all)?;
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
    print::page(&text)?;
    let is_open = |result: &HostResult| match &result.result {
        Some(Ok(run)) => result.is_kept_back || run.report.ending.outcome == RunOutcome::Paused,
        _ => true,
    };
    let open = results.iter().any(is_open);
    if exit != Exit::Success {
        print::line(&format!("next: wreimage show {}", batch.id));
    }
    if open && batch.is_resumable() {
        print::line(&format!(
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
    if session.active.is_ending() {
        Exit::Cancelled
    } else {
        Exit::Refused
    }
}
