//! The verdict on a run that has ended.

use crate::guest::instance::Ended;
use crate::ledger::state::State;
use crate::run::report::PastStep;
use crate::run::stop::Stop;
use wreimage_capability::guest::Verdict;
use wreimage_capability::{Fault, FaultKind};
use wreimage_journal::{Ending, Level, RunOutcome, UndoState};

/// The last record: outcome, what to read first, what is left.
pub(crate) fn ending(state: &State, ended: &Ended) -> Ending {
    let left = left(state, ended);
    let outcome = judge(state, ended);
    Ending {
        outcome,
        summary: match ended {
            Ended::Returned(returned) if outcome == RunOutcome::Warnings => {
                let later = warnings_behind(state);
                let parts = [returned.summary.clone()].into_iter().chain(later);
                parts.collect::<Vec<_>>().join("; ")
            }
            Ended::Returned(outcome) => outcome.summary.clone(),
            Ended::Faulted(fault) => fault.message.clone(),
            Ended::Trapped(trap) => format!("the guest died: {trap}"),
            Ended::Stopped(stop) => stop.to_string(),
            Ended::Cancelled => "the run was cancelled".to_owned(),
        },
        touched: state.touched,
        left,
        invalid_options: outcome == RunOutcome::Refused
            && matches!(ended, Ended::Faulted(fault) if has_invalid_option(fault)),
    }
}

/// What went wrong behind the guest's verdict, which cannot name it.
fn warnings_behind(state: &State) -> Vec<String> {
    let own = state.steps_of_guest.unwrap_or(usize::MAX);
    let steps = state
        .notes
        .steps
        .iter()
        .skip(own)
        .filter(|it| is_unwell(it));
    steps.map(describe_step).collect()
}

/// A step in a line.
fn describe_step(step: &PastStep) -> String {
    let (phase, name, text) = (&step.phase, &step.name, &step.text);
    if text.is_empty() {
        format!("{phase}: {name}: {}", step.level.word())
    } else {
        format!("{phase}: {name}: {text}")
    }
}

fn is_unwell(step: &PastStep) -> bool {
    !matches!(step.level, Level::Success | Level::Skipped)
}

/// How the codes of faults begin by which a guest refuses its options.
const INVALID_OPTION: &str = wreimage_facts::code::OPTION;

fn has_invalid_option(fault: &Fault) -> bool {
    fault.kind == FaultKind::Rejected && fault.code.starts_with(INVALID_OPTION)
}

/// What is known of an installation that this run has begun and not seen the end of.
fn installation(state: &State) -> Option<String> {
    let facts = &state.facts;
    if state.mode().is_in_twin() || facts.system_up {
        return None;
    }
    if facts.installer.is_some() {
        return Some(
            "the installer has answered and may still be running: the disks of the machine are overwritten"
                .to_owned(),
        );
    }
    state.restarts.is_last_into_installer().then(|| {
        "the machine was restarted into the network: the installer may be running, and the disks may be overwritten"
            .to_owned()
    })
}

/// What could not be taken back, is left on purpose, or is in doubt; of a guest that has come to its end and failed, also the
/// steps that failed.
fn left(state: &State, ended: &Ended) -> Vec<String> {
    let failed = match ended {
        Ended::Returned(outcome)
            if state.touched && matches!(outcome.verdict, Verdict::Failed | Verdict::Other(_)) =>
        {
            let steps = state.notes.steps.iter();
            let failed = steps.filter(|step| step.level == Level::Failure);
            failed.map(describe_step).collect()
        }
        _ => Vec::new(),
    };
    let installing = match ended {
        Ended::Returned(_) => None,
        _ => installation(state),
    };
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
    let reminders = state.notes.follow_ups.open().iter();
    let reminders = reminders.map(|it| format!("{}: {}", it.text, it.command));
    undo.chain(installing)
        .chain(failed)
        .chain(state.doubts().cloned())
        .chain(reminders)
        .collect()
}

/// How the run ended.
fn judge(state: &State, ended: &Ended) -> RunOutcome {
    // A rehearsal that got as far as its twin has tried; it did not refuse.
    let failed = if state.touched || state.mode().is_in_twin() {
        RunOutcome::Failed
    } else {
        RunOutcome::Refused
    };
    let undo_failed = state
        .undo
        .closed
        .iter()
        .any(|closed| matches!(closed.state, UndoState::Failed | UndoState::Left));
    // The closing words come after the guest's verdict, and a guest may overlook a step of its own.
    let warned = state.warned || state.notes.steps.iter().any(is_unwell);
    match ended {
        Ended::Returned(outcome) => match &outcome.verdict {
            Verdict::Success if undo_failed || warned => RunOutcome::Warnings,
            Verdict::Success => RunOutcome::Success,
            Verdict::Warnings => RunOutcome::Warnings,
            Verdict::Failed | Verdict::Other(_) if state.cancelled => RunOutcome::Cancelled,
            Verdict::Failed | Verdict::Other(_) => failed,
        },
        Ended::Faulted(_) if state.cancelled => RunOutcome::Cancelled,
        Ended::Faulted(fault) if has_invalid_option(fault) && !state.touched => RunOutcome::Refused,
        Ended::Faulted(_) | Ended::Trapped(_) => failed,
        Ended::Stopped(Stop::Refused(_)) if !state.touched => RunOutcome::Refused,
        Ended::Stopped(_) => failed,
        Ended::Cancelled => RunOutcome::Cancelled,
    }
}
