//! What a run has done since something changed in the world.

use crate::exit_code::{exit_code, serialize_outcome};
use crate::inject::Stage;
use wreimage_engine::Report;
use wreimage_journal::{Entry, Origin, Record, RunOutcome};
use wreimage_lab::Situation;

/// A change that has happened.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    /// Number of records before it.
    pub records: usize,
    /// The world right after it.
    pub world: Situation,
}

/// How the process that saw the change ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct After {
    outcome: Option<RunOutcome>,
    exit_code: u8,
    said: Vec<String>,
}

impl After {
    pub(crate) fn of(report: &Report) -> Self {
        let mut said = vec![report.ending.summary.clone()];
        said.extend(report.ending.left.iter().cloned());
        said.extend(report.notes.iter().map(|(_, text)| text.clone()));
        After {
            outcome: Some(report.ending.outcome),
            exit_code: exit_code(&report.ending),
            said,
        }
    }
}

/// What conditions name of a change: how things stood right after it, and what the run has done since.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Since {
    /// The world right after the change.
    pub world: Situation,
    /// Consent had been given.
    pub consented: bool,
    /// The run had already ordered a restart.
    pub restarted: bool,
    /// Changes since then that succeeded, in order; those by which something is undone are not among them.
    pub done: Vec<String>,
    /// Calls since then by which something was undone, in order.
    pub undone: Vec<String>,
    /// Outcome of the process that resumed the run, before the run was ended.
    #[serde(serialize_with = "serialize_outcome")]
    pub outcome: Option<RunOutcome>,
    /// Its exit code.
    pub exit_code: u8,
    /// What the report of that process says, and the findings of the steps since then.
    pub said: Vec<String>,
    /// How long the wait took during which the clock was set, in milliseconds; without one, 0.
    pub waited_ms: i64,
    /// How long it was to take at most.
    pub allowed_ms: i64,
}

/// Functions that order a restart.
pub(crate) const RESTARTS: [&str; 2] = ["ipmi.set-power", "remote.reboot"];

impl Since {
    /// What follows from the records, when something has changed.
    pub(crate) fn of(stage: &Stage) -> Option<Since> {
        let (changed, after) = {
            let state = stage.state();
            (
                state.changed.clone()?,
                state.after.clone().unwrap_or_default(),
            )
        };
        let entries = stage.journal.entries();
        let (before, since) = entries.split_at(changed.records.min(entries.len()));
        let restarts = |record: &Record| matches!(record, Record::Intent(it) if RESTARTS.contains(&it.function.as_str()));
        let mut facts = Since {
            world: changed.world,
            consented: before
                .iter()
                .any(|it| matches!(it.record, Record::Consented { .. })),
            restarted: before.iter().any(|it| restarts(&it.record)),
            done: Vec::new(),
            undone: Vec::new(),
            outcome: after.outcome,
            exit_code: after.exit_code,
            said: after.said,
            waited_ms: 0,
            allowed_ms: 0,
        };
        for entry in since {
            facts.add(entry);
        }
        facts.time_the_wait(stage, &entries);
        Some(facts)
    }

    fn add(&mut self, entry: &Entry) {
        match &entry.record {
            Record::Outcome(outcome) if outcome.effect.mutates() && outcome.result.is_ok() => {
                if outcome.origin == Origin::Undo {
                    self.undone.push(outcome.function.clone());
                } else {
                    self.done.push(outcome.function.clone());
                }
            }
            Record::StepEnded { text, evidence, .. } => {
                let evidence: String = evidence
                    .iter()
                    .map(|(name, value)| format!("; {name}: {value}"))
                    .collect();
                self.said.push(format!("{text}{evidence}"));
            }
            Record::Reminder { text, command, .. } => self.said.push(format!("{text}: {command}")),
            _ => {}
        }
    }

    /// The wait in which the clock was set: by the lab's time, of which the records before have the time, and those after
    /// it that of the clock that was set.
    fn time_the_wait(&mut self, stage: &Stage, entries: &[Entry]) {
        let Some(at) = stage.change.filter(|at| at.change.clock().is_some()) else {
            return;
        };
        let timer = entries.iter().find_map(|entry| match &entry.record {
            Record::Timer(timer) if timer.call == at.call => Some((entry.time, timer.due_ms)),
            _ => None,
        });
        let ended = entries.iter().find_map(|entry| match &entry.record {
            Record::Outcome(outcome) if outcome.call == at.call => Some(entry.time),
            _ => None,
        });
        if let (Some((began, due_ms)), Some(ended)) = (timer, ended) {
            let began = began.as_millisecond();
            let ended = ended.as_millisecond();
            let set = i64::try_from(stage.clock_offset.get().as_millis()).unwrap_or_default();
            self.waited_ms = ended.saturating_sub(set).saturating_sub(began);
            self.allowed_ms = i64::try_from(due_ms)
                .unwrap_or(i64::MAX)
                .saturating_sub(began);
        }
    }
}
