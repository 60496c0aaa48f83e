//! A run as text: step, call, arguments, answer and virtual time.

use crate::exit_code::exit_code;
use serde_json::Value;
use wreimage_capability::{Effect, Fault};
use wreimage_journal::{Entry, Origin, Outcome, Record};

/// Longer values are cut.
const LIMIT: usize = 150;

/// What stands before a line that belongs to the one above.
const UNDER: &str = "\n             ";

/// The run, a line an event. What is always the same, and hints that follow from the rest, are left out.
pub fn run(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let Some(line) = record(&entry.record) else {
            continue;
        };
        let time = entry.time.strftime("%H:%M:%S");
        text.push_str(&format!("{time} {line}\n"));
    }
    text
}

fn record(record: &Record) -> Option<String> {
    Some(match record {
        Record::Header(header) => {
            let options: Vec<String> = header
                .options
                .iter()
                .filter(|(_, value)| value != "false")
                .map(|(name, value)| format!("--{name}={value}"))
                .collect();
            let rehearsal = if header.dry_run { " (rehearsal)" } else { "" };
            format!("{} {}{rehearsal}", header.host, options.join(" "))
        }
        Record::StepBegan { phase, name, .. } => format!("{phase}: {name}"),
        Record::StepEnded {
            level,
            text,
            evidence,
            ..
        } => {
            let evidence: String = evidence
                .iter()
                .map(|(name, value)| format!("{UNDER}{name}: {}", cut(value)))
                .collect();
            format!("  {}: {text}{evidence}", level.word())
        }
        Record::Outcome(outcome) if outcome.function != "run.get-request" => call(outcome),
        Record::Note { level, text, .. } => format!("  note, {}: {text}", level.word()),
        Record::Log { severity, text } => format!("  log, {severity}: {text}"),
        Record::FollowUp {
            key, text, command, ..
        } => format!("  follow-up {key}: {text}: {command}"),
        Record::FollowUpEnded { key } => format!("  follow-up {key} has ended"),
        Record::Reminder { text, command, .. } => format!("  reminder: {text}: {command}"),
        Record::Question(question) => {
            let choices: Vec<&str> = question
                .choices
                .iter()
                .map(|(key, _)| key.as_str())
                .collect();
            format!("  question: {} [{}]", question.question, choices.join(", "))
        }
        Record::Answer(answer) => format!("  answer: {}", answer.answer),
        Record::Consented { first, .. } => format!("  consent to {first}"),
        Record::UndoOpened { inverse, thing, .. } => {
            format!("  to be taken back: {thing}, by {inverse}")
        }
        Record::UndoClosed(closed) => {
            let why = if closed.text.is_empty() {
                String::new()
            } else {
                format!(", {}", closed.text)
            };
            format!(
                "  taken back, {}: {}{why}",
                closed.state.word(),
                closed.thing
            )
        }
        Record::Signal { signal } => format!("  signal {signal}"),
        Record::TwinEntered { function } => format!("  from here in a twin: {function}"),
        Record::Finished(ending) => format!(
            "{}, exit code {}: {}{}",
            ending.outcome,
            exit_code(ending),
            ending.summary,
            ending
                .left
                .iter()
                .map(|left| format!("\n  left: {left}"))
                .collect::<String>()
        ),
        Record::Outcome(_)
        | Record::Intent(_)
        | Record::Checked(_)
        | Record::BootPinned(_)
        | Record::HostKeyAccepted { .. }
        | Record::Progress { .. }
        | Record::Timer(_)
        | Record::GuestEnded(_)
        | Record::Paused { .. }
        | Record::Resumed { .. }
        | Record::GuestChanged { .. }
        | Record::LeaseRequested(_)
        | Record::LeaseAcquired { .. }
        | Record::LeaseReleased { .. }
        | Record::Withheld { .. } => return None,
    })
}

fn call(outcome: &Outcome) -> String {
    let mark = match outcome.effect {
        Effect::Write => "*",
        Effect::Once => "!",
        Effect::Read | Effect::Wait | Effect::Ask | Effect::Note => " ",
    };
    let by = match outcome.origin {
        Origin::Guest => "",
        Origin::Host => " by the host",
        Origin::Undo => " to take back",
    };
    let comment = comment(outcome);
    let arguments: Vec<String> = outcome
        .arguments
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| comment.is_none() || *name != "text")
        .map(|(name, value)| format!("{name}={}", short(value)))
        .collect();
    let took = match outcome.took_ms {
        0 => String::new(),
        took => format!(" after {} s", took / 1000),
    };
    let answer = match &outcome.result {
        Ok(Value::Null) => String::new(),
        Ok(value) => format!(" = {}", short(value)),
        Err(fault) => format!(" ! {}", wrong(fault)),
    };
    let lines: String = comment
        .into_iter()
        .flat_map(str::lines)
        .map(|line| format!("{UNDER}{line}"))
        .collect();
    format!(
        "{mark}   {}({}){by}{answer}{took}{lines}",
        outcome.function,
        arguments.join(", ")
    )
}

/// What is written on a task: people read the whole of it, so it is not cut.
fn comment(outcome: &Outcome) -> Option<&str> {
    if outcome.function != "phabricator.comment" {
        return None;
    }
    outcome.arguments.get("text")?.as_str()
}

fn wrong(fault: &Fault) -> String {
    format!("{}: {}", fault.code, cut(&fault.message))
}

/// JSON without quotes around names, cut.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text),
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    let line = text.trim().replace('\n', " / ");
    match line.char_indices().nth(LIMIT) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
