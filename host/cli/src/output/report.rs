//! The report at the end of a run, and the plan that a rehearsal yields.

use super::{fields, words};
use crate::output::print::Page;
use serde_json::Value;
use wreimage_engine::{Mutation, Reminder, Report};
use wreimage_journal::{Level, Reality, RunOutcome, UndoClosed, UndoState};

/// What a note begins with by which a guest names the command to run next.
const NEXT: &str = "Next: ";

/// The report for stdout.
pub fn report(report: &Report) -> Page {
    let mut out = Page::default();
    write_report(&mut out, report);
    out
}

fn write_report(out: &mut Page, report: &Report) {
    if report.dry_run && !report.mutations.is_empty() {
        write_plan(out, report);
    }
    let ending = &report.ending;
    let headline = match ending.outcome {
        RunOutcome::Success => "SUCCESS",
        RunOutcome::Warnings => "DONE, WITH WARNINGS",
        RunOutcome::Refused => "REFUSED, nothing was touched",
        RunOutcome::Cancelled => "CANCELLED",
        RunOutcome::Paused => "PAUSED, nothing was taken back",
        RunOutcome::Failed => "FAILED",
    };
    let rehearsal = if report.dry_run { " (rehearsal)" } else { "" };
    out.gap();
    out.line(format!("{headline}{rehearsal}: {}", report.host));
    out.line(format!("  {}", ending.summary));
    for step in &report.steps {
        let took = match step.took_ms {
            0..1000 => String::new(),
            took => format!("  [{}]", words::duration(took)),
        };
        out.line(format!(
            "  {:<4} {}: {}{}{}{took}",
            words::mark(step.level),
            step.phase,
            step.name,
            words::by(step.component.as_deref()),
            words::after(&step.text)
        ));
        for (name, value) in &step.evidence {
            out.line(format!("         {name}: {}", words::short(value)));
        }
    }
    for (level, text) in &report.notes {
        if *level == Level::Warning || *level == Level::Failure {
            out.line(format!("  {:<4} {text}", words::mark(*level)));
        }
    }
    for closed in &report.undone {
        match closed.state {
            UndoState::Done if closed.text.is_empty() => {
                out.line(format!("  taken back: {}", closed.thing));
            }
            UndoState::Failed | UndoState::Left => {
                out.line(format!("  LEFT: {}: {}", closed.thing, closed.text));
            }
            UndoState::Done | UndoState::NotNeeded => {}
        }
    }
    for left in &ending.left {
        if !is_listed(report, left) {
            out.line(format!("  LEFT: {left}"));
        }
    }
    if !report.reminders.is_empty() {
        out.line("  left on purpose:");
        for reminder in &report.reminders {
            out.line(format!("    {}", reminder.text));
            out.line(format!("      {}", reminder.command));
        }
    }
    for (_, text) in &report.notes {
        if text.starts_with(NEXT) {
            out.line(format!("  {text}"));
        }
    }
    out.line(format!(
        "  {} steps, {} calls, {}",
        report.steps.len(),
        report.calls,
        words::duration(report.took_ms)
    ));
}

/// Whether what is left is listed as an undone change or as a reminder.
fn is_listed(report: &Report, left: &str) -> bool {
    let is_undone = |closed: &UndoClosed| {
        !matches!(closed.state, UndoState::Done | UndoState::NotNeeded)
            && left.starts_with(&closed.thing)
    };
    let is_reminder = |it: &Reminder| {
        left.strip_prefix(&it.text)
            .is_some_and(|rest| rest.ends_with(&it.command))
    };
    report.undone.iter().any(is_undone) || report.reminders.iter().any(is_reminder)
}

/// Every change in order, with what is known of it.
fn write_plan(out: &mut Page, report: &Report) {
    out.gap();
    out.line(format!(
        "Plan for {}: {} changes",
        report.host,
        report.mutations.len()
    ));
    let mut step = None;
    for (index, mutation) in report.mutations.iter().enumerate() {
        if mutation.step != step {
            step.clone_from(&mutation.step);
            out.line(format!("  {}", step.as_deref().unwrap_or("at the end")));
        }
        out.line(format!("    {:>2}. {}", index + 1, change(mutation)));
    }
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

/// ` entry={…} mode=efi`: the arguments as the guest gave them.
fn arguments(value: &Value) -> String {
    let mut text = String::new();
    for (name, value) in fields::in_words(value).as_object().into_iter().flatten() {
        let value = match value {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!(" {name}={value}"));
    }
    text
}
