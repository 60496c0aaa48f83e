//! What conditions can name.

use crate::exit_code::{exit_code, serialize_outcome};
use crate::next_command::printed;
use crate::rival::RivalFacts;
use crate::since::Since;
use serde::Serialize;
use std::collections::BTreeMap;
use wreimage_engine::Report;
use wreimage_journal::{Entry, Level, Origin, Record, RunOutcome};
use wreimage_lab::Situation;

/// A run, as far as it has come. The names of the fields are those that conditions use.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunFacts {
    /// How it ended; conditions see a word that is empty while it goes on.
    #[serde(serialize_with = "serialize_outcome")]
    pub outcome: Option<RunOutcome>,
    /// Exit code of the program; 0 while it goes on.
    pub exit_code: u8,
    /// Whether anything was changed.
    pub touched: bool,
    /// What a tired person reads first.
    pub summary: String,
    /// What is left.
    pub left: Vec<String>,
    /// Whether consent was given.
    pub consented: bool,
    /// The phase that goes on.
    pub phase: String,
    /// The step that goes on.
    pub step: String,
    /// Steps that have ended, in order.
    pub steps: Vec<StepFacts>,
    /// Names of the steps that failed and did not succeed later.
    pub failed_steps: Vec<String>,
    /// What the operator was asked.
    pub questions: Vec<String>,
    /// Commands that the operator was told.
    pub commands: Vec<String>,
    /// Commands for this program that the operator was told, in order, or why there is none.
    pub next: Vec<String>,
    /// Functions of the changes that were made and succeeded, in order, whoever made them.
    pub done: Vec<String>,
    /// How often each function was called, by the guest or to take something back.
    pub calls: BTreeMap<String, u64>,
    /// What other systems were told, in order: each call that `calls` counts, with its arguments.
    pub sent: Vec<Sent>,
    /// What the operator was told, a line a thing.
    pub said: Vec<String>,
    /// Whether a secret stands anywhere in its journal or its report.
    pub leaks: bool,
}

/// A step that has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepFacts {
    /// Its phase.
    pub phase: String,
    /// Its name.
    pub name: String,
    /// `success`, `warning`, `failure`, `skipped`, `unfinished`.
    pub level: &'static str,
    /// What was found.
    pub text: String,
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    /// Such as `phabricator.comment`.
    pub function: String,
    /// Arguments by name.
    pub arguments: serde_json::Value,
}

/// The call at which a condition is judged.
#[derive(Debug, Clone, Serialize)]
pub struct CallFacts<'a> {
    /// Such as `ipmi.set-power`.
    pub function: String,
    /// Whether it changes something.
    pub mutates: bool,
    /// Arguments by name.
    pub arguments: &'a serde_json::Value,
    /// The how-manieth call of its function, from 1.
    pub nth: u64,
}

/// The case of a sweep; empty words outside of one.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CaseFacts {
    /// The kind of the case, such as `crash`.
    pub kind: String,
    /// The function that the fault was put into; `record` when it was put at a record.
    pub function: String,
    /// Which call of it, or which record, counted from 1.
    pub nth: u64,
    /// The fault, as in `--case`.
    pub fault: String,
    /// Of a change in the world, which.
    pub change: String,
    /// Of a change in the world or a rival, what the process does meanwhile: `dies`, `pauses` or `alive`.
    pub moment: String,
}

/// A run and the world at its end.
#[derive(Debug, Clone, Serialize)]
pub struct End {
    /// The run.
    pub run: RunFacts,
    /// The world.
    pub world: Situation,
}

/// Everything that a condition can name.
#[derive(Debug, Serialize)]
pub(crate) struct Context<'a> {
    /// The world now.
    pub world: &'a Situation,
    /// The world when the run began.
    pub before: &'a Situation,
    /// The run so far.
    pub run: &'a RunFacts,
    /// The call that is about to be made.
    pub call: Option<CallFacts<'a>>,
    /// The case of a sweep.
    pub case: &'a CaseFacts,
    /// The same run without any fault, in a sweep.
    pub undisturbed: Option<&'a End>,
    /// What has been done since the world was changed, in such a case of a sweep.
    pub since: Option<&'a Since>,
    /// What became of the rivals of the run, in such a case of a sweep.
    pub rival: Option<&'a RivalFacts>,
}

impl RunFacts {
    /// What these records tell.
    pub fn of(entries: &[Entry]) -> Self {
        let mut facts = RunFacts::default();
        for entry in entries {
            facts.add(&entry.record);
        }
        facts
    }

    /// The same, with what the report says of its end.
    pub fn at_end(entries: &[Entry], report: &Report, secret: &str) -> Self {
        let mut facts = RunFacts::of(entries);
        let ending = &report.ending;
        facts.outcome = Some(ending.outcome);
        facts.exit_code = exit_code(ending);
        facts.touched = ending.touched;
        facts.summary.clone_from(&ending.summary);
        facts.left.clone_from(&ending.left);
        facts.said.push(ending.summary.clone());
        facts.said.extend(ending.left.iter().cloned());
        // What cannot be looked through is not known to hold none.
        let clean = |text: serde_json::Result<String>| text.is_ok_and(|it| !it.contains(secret));
        facts.leaks =
            !clean(serde_json::to_string(entries)) || !clean(serde_json::to_string(report));
        facts
    }

    fn add(&mut self, record: &Record) {
        self.next.extend(printed(record).map(str::to_owned));
        match record {
            Record::StepBegan { phase, name, .. } => {
                self.phase.clone_from(phase);
                self.step.clone_from(name);
            }
            Record::StepEnded {
                phase,
                name,
                level,
                text,
                evidence,
                ..
            } => {
                self.step.clear();
                match level {
                    Level::Failure | Level::Unfinished => self.failed_steps.push(name.clone()),
                    _ => self.failed_steps.retain(|failed| failed != name),
                }
                let evidence: String = evidence
                    .iter()
                    .map(|(name, value)| format!("; {name}: {value}"))
                    .collect();
                self.said.push(format!("{phase}: {name}: {text}{evidence}"));
                self.steps.push(StepFacts {
                    phase: phase.clone(),
                    name: name.clone(),
                    level: level.word(),
                    text: text.clone(),
                });
            }
            Record::Consented { .. } => self.consented = true,
            Record::Question(question) => {
                self.questions.push(question.question.clone());
                self.said.push(question.question.clone());
            }
            Record::Note { text, .. } => self.said.push(text.clone()),
            Record::Reminder { text, command, .. } => {
                self.commands.push(command.clone());
                self.said.push(format!("{text}: {command}"));
            }
            Record::UndoClosed(closed) => self.said.push(format!(
                "{}: {} {}",
                closed.thing,
                closed.state.word(),
                closed.text
            )),
            Record::Outcome(outcome) => {
                if outcome.origin != Origin::Host {
                    *self.calls.entry(outcome.function.clone()).or_default() += 1;
                    self.sent.push(Sent {
                        function: outcome.function.clone(),
                        arguments: outcome.arguments.clone(),
                    });
                }
                if outcome.effect.mutates() && outcome.result.is_ok() {
                    self.done.push(outcome.function.clone());
                }
            }
            _ => {}
        }
    }
}
