//! What a guest has reported: steps, notes and follow-ups.

use super::follow_ups::FollowUps;
use crate::run::report::PastStep;
use jiff::Timestamp;
use wreimage_journal::{Level, Record};

/// Steps, notes and follow-ups so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    pub(crate) steps: Vec<PastStep>,
    pub(crate) open: Option<(String, String, Timestamp)>,
    pub(crate) notes: Vec<(Level, String)>,
    pub(crate) follow_ups: FollowUps,
    /// The last line that the guest logged as an error: the message of its panic, should it trap next.
    pub(crate) last_error: Option<String>,
}

impl Notes {
    pub(crate) fn open_step_name(&self) -> Option<String> {
        self.open
            .as_ref()
            .map(|(phase, name, _)| format!("{phase}: {name}"))
    }

    /// The record that ends the open step.
    pub(crate) fn end(
        &self,
        now: Timestamp,
        level: Level,
        text: String,
        evidence: Vec<(String, String)>,
        component: Option<String>,
    ) -> Option<Record> {
        let (phase, name, began) = self.open.clone()?;
        Some(Record::StepEnded {
            phase,
            name,
            level,
            text,
            evidence,
            took_ms: u64::try_from(now.duration_since(began).as_millis()).unwrap_or(0),
            component,
        })
    }

    /// Takes in a record.
    pub(super) fn apply(&mut self, record: &Record, time: Timestamp) {
        match record {
            Record::StepBegan { phase, name, .. } => {
                self.open = Some((phase.clone(), name.clone(), time));
            }
            Record::StepEnded {
                phase,
                name,
                level,
                text,
                evidence,
                took_ms,
                component,
            } => {
                self.open = None;
                self.steps.push(PastStep {
                    phase: phase.clone(),
                    name: name.clone(),
                    level: *level,
                    text: text.clone(),
                    evidence: evidence.clone(),
                    took_ms: *took_ms,
                    component: component.clone(),
                });
            }
            Record::Note { level, text, .. } => self.notes.push((*level, text.clone())),
            Record::Log { severity, text } if severity == "error" => {
                self.last_error = Some(text.clone());
            }
            Record::FollowUp { .. } | Record::FollowUpEnded { .. } | Record::Reminder { .. } => {
                self.follow_ups.apply(record);
            }
            _ => {}
        }
    }
}
