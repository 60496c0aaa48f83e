//! The end of the work on several hosts: the reports of those that are not well, and one line for each host.

use super::Task;
use crate::arguments::Output;
use crate::batch::Batch;
use crate::drive::Driven;
use crate::exit::{Exit, Failure};
use crate::face::{self, words};
use crate::session::Session;
use crate::tell::{self, Page};
use serde_json::json;
use wreimage_journal::Mode;

/// How the work on one host ended. `None`: it did not begin, or ended before its turn to change something.
pub(super) struct Done {
    pub task: Task,
    pub driven: Option<Result<Driven, Failure>>,
    /// Its run was ended while it waited for its turn.
    pub is_kept_back: bool,
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
        let (outcome, run, took, said) = match driven {
            Some(Ok(driven)) if *is_kept_back => {
                exits.push(not_begun(session));
                let run = Some(driven.report.run.as_str());
                (
                    "not begun",
                    run,
                    driven.report.took_ms,
                    NOT_BEGUN.to_owned(),
                )
            }
            Some(Ok(driven)) => {
                let report = &driven.report;
                let ending = &report.ending;
                exits.push(Exit::of_run(
                    ending.exit_code,
                    &ending.outcome,
                    session.strict,
                ));
                if ending.exit_code != 0 {
                    text.append(&face::report(report));
                }
                (
                    ending.outcome.as_str(),
                    Some(report.run.as_str()),
                    report.took_ms,
                    ending.summary.clone(),
                )
            }
            Some(Err(failure)) => {
                exits.push(failure.exit());
                ("not run", None, 0, failure.to_string())
            }
            None => {
                exits.push(not_begun(session));
                ("not begun", None, 0, NOT_BEGUN.to_owned())
            }
        };
        lines.push(json!({
            "host": task.host(), "outcome": outcome, "run": run, "took_ms": took, "summary": said,
        }));
    }
    let exit = Exit::of_batch(&exits);
    if session.output == Output::Json {
        let all = json!({ "event": "summary", "batch": batch.id, "hosts": lines });
        tell::json(&all)?;
        return Ok(exit);
    }
    let is_well = |line: &&serde_json::Value| {
        matches!(line["outcome"].as_str(), Some("success" | "warnings"))
    };
    let well = lines.iter().filter(is_well).count();
    text.gap();
    text.line(format!("{} hosts, {well} done", lines.len()));
    for line in &lines {
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        text.line(format!(
            "  {:<12} {:<10} {:>8}  {}",
            word("host"),
            word("outcome"),
            words::duration(line["took_ms"].as_u64().unwrap_or(0)),
            words::short(&word("summary"))
        ));
        if let Some(run) = line["run"].as_str() {
            text.line(format!("               {run}"));
        }
    }
    tell::page(&text)?;
    let open = done.iter().any(|done| match &done.driven {
        Some(Ok(driven)) => done.is_kept_back || driven.report.ending.outcome == "paused",
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
    batch.mode != Mode::Lab && !batch.order.dry_run
}
