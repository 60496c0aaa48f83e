//! Records in words.

use std::time::Duration;
use wreimage_journal::{Entry, Level, Plugged, Record, UndoState};
use wreimage_runs::Standing;
pub use wreimage_runs::short;

/// `1:02:03`, `2:03`.
pub fn duration(millis: u64) -> String {
    let seconds = Duration::from_millis(millis).as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A sign of the level that needs no colour.
pub fn mark(level: Level) -> &'static str {
    match level {
        Level::Success => "ok",
        Level::Skipped => "--",
        Level::Warning => "WARN",
        Level::Failure | Level::Unfinished => "FAIL",
    }
}

/// The lines that a record deserves in a list for people; none for what only machines need.
pub fn lines(entry: &Entry) -> Vec<String> {
    match &entry.record {
        Record::Header(header) => vec![format!(
            "{} {}{} on {} of site {}{} (run {})",
            header.guest,
            header.guest_version,
            with(&header.plugs),
            header.host,
            header.site,
            if header.dry_run {
                ", rehearsal only"
            } else {
                ""
            },
            header.run,
        )],
        Record::StepEnded {
            phase,
            name,
            level,
            text,
            evidence,
            component,
            ..
        } => {
            let mut lines = vec![format!(
                "{:<4} {phase}: {name}{}{}",
                mark(*level),
                by(component.as_deref()),
                after(text)
            )];
            lines.extend(
                evidence
                    .iter()
                    .map(|(name, value)| format!("       {name}: {value}")),
            );
            lines
        }
        Record::Note {
            level,
            text,
            component,
            ..
        } => vec![format!(
            "{:<4} {text}{}",
            mark(*level),
            by(component.as_deref())
        )],
        Record::Log { severity, text } if severity != "debug" => {
            vec![format!("     {severity}: {text}")]
        }
        Record::Question(question) => vec![format!("ask  {}", question.question)],
        Record::Answer(answer) if answer.by.is_empty() => {
            vec![format!("     answered: {}", answer.answer)]
        }
        Record::Answer(answer) => {
            vec![format!("     answered by {}: {}", answer.by, answer.answer)]
        }
        Record::TwinEntered { function } => vec![format!(
            "---- the first change would be {function}; from here on this is a simulated copy"
        )],
        Record::Reminder { text, command, .. } => vec![format!("left {text}: {command}")],
        Record::UndoClosed(closed) => match closed.state {
            UndoState::Done if closed.text.is_empty() => {
                vec![format!("undo {} taken back", closed.thing)]
            }
            UndoState::Failed => vec![format!(
                "FAIL {} could not be taken back: {}",
                closed.thing, closed.text
            )],
            UndoState::Left => vec![format!("WARN {} is left: {}", closed.thing, closed.text)],
            UndoState::Done | UndoState::NotNeeded => Vec::new(),
        },
        Record::Signal { signal } => vec![format!("     {signal}")],
        Record::Paused { why } => vec![format!("WAIT {why}")],
        Record::Resumed {
            actor, controller, ..
        } => vec![format!("---- resumed by {actor} on {controller}")],
        Record::GuestChanged { digest, version } => vec![format!(
            "---- from here on by the guest of version {version}, sha256 {digest}"
        )],
        Record::LeaseRequested(it) => match &it.take_over {
            Some(run) => vec![format!(
                "---- {} is taken over from the run {run}",
                it.host.fqdn
            )],
            None => Vec::new(),
        },
        Record::Log { .. }
        | Record::LeaseAcquired { .. }
        | Record::LeaseReleased { .. }
        // Why stands in the pause that follows.
        | Record::Withheld { .. }
        | Record::StepBegan { .. }
        // Printed when the run ends before it has ended them.
        | Record::FollowUp { .. }
        | Record::FollowUpEnded { .. }
        | Record::Intent(_)
        | Record::Outcome(_)
        | Record::Progress { .. }
        | Record::Consented { .. }
        | Record::Checked(_)
        | Record::BootPinned(_)
        | Record::HostKeyAccepted { .. }
        | Record::UndoOpened { .. }
        | Record::Timer(_)
        | Record::GuestEnded(_)
        | Record::Finished(_) => Vec::new(),
    }
}

/// ` (NAME)` behind what a component has done that is plugged in, or nothing.
pub fn by(component: Option<&str>) -> String {
    component.map_or_else(String::new, |name| format!(" ({name})"))
}

/// ` with NAME VERSION, …`, or nothing.
fn with(plugs: &[Plugged]) -> String {
    let names: Vec<String> = plugs
        .iter()
        .map(|plug| format!("{} {}", plug.name, plug.version))
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" with {}", names.join(", "))
    }
}

/// ` - TEXT`, or nothing.
pub fn after(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(" - {text}")
    }
}

/// The step that it is in, and for whom or what it waits.
pub fn doing(standing: &Standing) -> String {
    let step = standing.step.as_deref().map(short);
    let waits = standing.waits_for.as_ref();
    let waits = waits.map(|whom| format!("waits for {whom}"));
    let both: Vec<String> = step.into_iter().chain(waits).collect();
    both.join("; ")
}
