//! What a case of a sweep does to the run of a scenario.

use crate::answers::Attendance;
use crate::change::ChangeAt;
use crate::context::{CaseFacts, End};
use crate::fault::Rule;
use crate::stage_log::AtRecord;
use std::sync::Arc;

/// What a case of a sweep adds to a scenario.
pub(crate) struct Disturbance {
    pub rules: Vec<Rule>,
    /// An event at a record of the journal.
    pub at: Option<AtRecord>,
    /// What the operator does when a step fails; without it, a step that fails ends the run.
    pub asked: Option<Asked>,
    /// What somebody else changes in the world.
    pub change: Option<ChangeAt>,
    pub case: CaseFacts,
    pub undisturbed: Arc<End>,
}

/// What the operator does at questions about a step that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// In the process that begins the run.
    pub first: Attendance,
    /// In the process that resumes it; without it, a run that pauses is ended.
    pub resumed: Option<Attendance>,
}
