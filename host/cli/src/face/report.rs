//! The report at the end of a run, and the plan that a rehearsal yields.

use super::words;
use serde_json::Value;
use std::fmt::{self, Write};
use wreimage_engine::{Mutation, Report};
use wreimage_journal::{Level, Reality, UndoState};

/// What a note begins with by which a guest names the command to run next.
const NEXT: &str = "Next: ";

/// The report as text for stdout.
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_report(&mut out, report);
    out
}

fn write_report(out: &mut String, report: &Report) -> fmt::Result {
    if report.dry_run && !report.mutations.is_empty() {
        write_plan(out, report)?;
    }
    let ending = &report.ending;
    let headline = match ending.outcome.as_str() {
        "success" => "SUCCESS",
        "warnings" => "DONE, WITH WARNINGS",
        "refused" => "REFUSED, nothing was touched",
        "cancelled" => "CANCELLED",
        "paused" => "PAUSED, nothing was taken back",
        _ => "FAILED",
    };
    let rehearsal = if report.dry_run { " (rehearsal)" } else { "" };
    writeln!(out, "\n{headline}{rehearsal}: {}", report.host)?;
    writeln!(out, "  {}", ending.summary.replace('\n', "\n  "))?;
    for step in &report.steps {
        let took = match step.took_ms {
            0..1000 => String::new(),
            took => format!("  [{}]", words::duration(took)),
        };
        writeln!(
            out,
            "  {:<4} {}: {}{}{}{took}",
            words::mark(step.level),
            step.phase,
            step.name,
            words::by(step.component.as_deref()),
            words::after(&step.text)
        )?;
        for (name, value) in &step.evidence {
            writeln!(out, "         {name}: {}", words::short(value))?;
        }
    }
    for (level, text) in &report.notes {
        if *level == Level::Warning || *level == Level::Failure {
            writeln!(out, "  {:<4} {text}", words::mark(*level))?;
        }
    }
    for closed in &report.undone {
        match closed.state {
            UndoState::Done if closed.text.is_empty() => {
                writeln!(out, "  taken back: {}", closed.thing)?
            }
            UndoState::Failed | UndoState::Left => {
                writeln!(out, "  LEFT: {}: {}", closed.thing, closed.text)?;
            }
            UndoState::Done | UndoState::NotNeeded => {}
        }
    }
    if !report.reminders.is_empty() {
        writeln!(out, "  left on purpose:")?;
        for reminder in &report.reminders {
            writeln!(out, "    {}\n      {}", reminder.text, reminder.command)?;
        }
    }
    for (_, text) in &report.notes {
        if text.starts_with(NEXT) {
            writeln!(out, "  {text}")?;
        }
    }
    writeln!(
        out,
        "  {} steps, {} calls, {}",
        report.steps.len(),
        report.calls,
        words::duration(report.took_ms)
    )
}

/// Every change in order, with what is known of it.
fn write_plan(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(
        out,
        "\nPlan for {}: {} changes",
        report.host,
        report.mutations.len()
    )?;
    let mut step = None;
    for (index, mutation) in report.mutations.iter().enumerate() {
        if mutation.step != step {
            step.clone_from(&mutation.step);
            writeln!(out, "  {}", step.as_deref().unwrap_or("at the end"))?;
        }
        writeln!(out, "    {:>2}. {}", index + 1, change(mutation))?;
    }
    Ok(())
}

fn change(mutation: &Mutation) -> String {
    let mut text = format!("{}{}", mutation.function, arguments(&mutation.arguments));
    if mutation.undo {
        text.push_str("  (taken back by the host)");
    }
    match (&mutation.result, mutation.reality) {
        (Err(why), _) => text.push_str(&format!("  would fail: {why}")),
        (Ok(()), Reality::NotPreviewed) => text.push_str("  (not previewed)"),
        (Ok(()), Reality::Assumed) => text.push_str("  (assumed to succeed)"),
        (Ok(()), Reality::Real) => {}
    }
    text
}

/// ` entry={…} mode=Efi`: the arguments as the guest gave them.
fn arguments(value: &Value) -> String {
    let mut text = String::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!(" {name}={value}"));
    }
    text
}
