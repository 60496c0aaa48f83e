//! What is told of a run when it has ended.

use serde::Serialize;
use serde_json::Value;
use wreimage_capability::Effect;
use wreimage_journal::{Ending, Level, Reality, UndoClosed};

/// A step of the runbook as it went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastStep {
    /// Phase of the runbook.
    pub phase: String,
    /// Name of the step.
    pub name: String,
    /// How it ended.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// Names and values that support it.
    pub evidence: Vec<(String, String)>,
    /// How long it took by the clock of the run, in milliseconds.
    pub took_ms: u64,
    /// The component that ended it, when it is one that is plugged into the guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
}

/// A mutation that was tried, or in a rehearsal would be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mutation {
    /// Number of the call.
    pub call: u64,
    /// Full name, such as `clock.sleep`.
    pub function: String,
    /// Its effect class.
    pub effect: Effect,
    /// The step in which it was tried.
    pub step: Option<String>,
    /// Arguments by name.
    pub arguments: Value,
    /// Whether it succeeded; the text is the fault's message.
    pub result: Result<(), String>,
    /// How far to trust the result.
    pub reality: Reality,
    /// Whether the host made it to take something back.
    pub undo: bool,
}

/// Something that is left to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reminder {
    /// What is left.
    pub text: String,
    /// The command that ends it.
    pub command: String,
}

/// The whole story of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Id of the run.
    pub run: String,
    /// Short name of the host.
    pub host: String,
    /// Whether it was a rehearsal.
    pub dry_run: bool,
    /// The outcome, and what is left.
    pub ending: Ending,
    /// Steps in order.
    pub steps: Vec<PastStep>,
    /// Notes that were not steps.
    pub notes: Vec<(Level, String)>,
    /// Mutations in order.
    pub mutations: Vec<Mutation>,
    /// What became of the undo list.
    pub undone: Vec<UndoClosed>,
    /// What is left on purpose.
    pub reminders: Vec<Reminder>,
    /// Calls in all.
    pub calls: u64,
    /// How long the run took by its clock, in milliseconds.
    pub took_ms: u64,
}
