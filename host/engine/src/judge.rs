//! The verdict on a run that has ended.

use crate::part::Ended;
use crate::report::PastStep;
use crate::state::State;
use crate::stop::Stop;
use wreimage_capability::guest::Verdict;
use wreimage_journal::{Ending, Level, UndoState};

/// The last record: outcome, what to read first, what is left, and the exit code of the program.
pub(crate) fn ending(state: &State, ended: &Ended) -> Ending {
    let left = left(state);
    let (outcome, exit_code) = judge(state, ended, &left);
    Ending {
        outcome: outcome.to_owned(),
        summary: match ended {
            Ended::Returned(outcome) => outcome.summary.clone(),
            Ended::Faulted(fault) => fault.message.clone(),
            Ended::Trapped(trap) => format!("the guest died: {trap}"),
            Ended::Stopped(stop) => stop.to_string(),
            Ended::Cancelled => "the run was cancelled".to_owned(),
        },
        touched: state.touched,
        left,
        exit_code,
    }
}

/// What could not be taken back, is left on purpose, or is in doubt.
fn left(state: &State) -> Vec<String> {
    let undo = state
        .undo
        .closed
        .iter()
        .filter_map(|closed| match closed.state {
            UndoState::Failed => Some(format!(
                "{} could not be taken back: {}",
                closed.thing, closed.text
            )),
            UndoState::Left => Some(format!("{} is left: {}", closed.thing, closed.text)),
            UndoState::Done | UndoState::NotNeeded => None,
        });
    let reminders = state
        .notes
        .reminders
        .iter()
        .map(|reminder| format!("{}: {}", reminder.text, reminder.command));
    undo.chain(state.doubts.iter().cloned())
        .chain(reminders)
        .collect()
}

/// Outcome and exit code.
fn judge(state: &State, ended: &Ended, left: &[String]) -> (&'static str, u8) {
    // A rehearsal that got as far as its twin has tried; it did not refuse.
    let failed = match (state.touched || state.in_twin, left.is_empty()) {
        (false, _) => ("refused", 40),
        (true, true) => ("failed", 20),
        (true, false) => ("failed", 21),
    };
    let undo_failed = state
        .undo
        .closed
        .iter()
        .any(|closed| matches!(closed.state, UndoState::Failed | UndoState::Left));
    // The closing words come after the guest's verdict, and a guest may overlook a step of its own.
    let unwell = |step: &PastStep| !matches!(step.level, Level::Success | Level::Skipped);
    let warned = state.warned || state.notes.steps.iter().any(unwell);
    match ended {
        Ended::Returned(outcome) => match &outcome.verdict {
            Verdict::Success if undo_failed || warned => ("warnings", 0),
            Verdict::Success => ("success", 0),
            Verdict::Warnings => ("warnings", 0),
            Verdict::Failed | Verdict::Other(_) if state.cancelled => ("cancelled", 30),
            Verdict::Failed | Verdict::Other(_) => failed,
        },
        Ended::Faulted(_) if state.cancelled => ("cancelled", 30),
        Ended::Faulted(_) | Ended::Trapped(_) => failed,
        Ended::Stopped(Stop::Refused(_)) if !state.touched => ("refused", 40),
        Ended::Stopped(_) => failed,
        Ended::Cancelled => ("cancelled", 30),
    }
}
