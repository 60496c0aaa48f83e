//! What a case of a sweep does to the run of a scenario.

use crate::answers::Attendance;
use crate::change::{ChangeAt, Moment};
use crate::context::{CaseFacts, End};
use crate::fault::Rule;
use crate::rival::RivalAt;
use crate::stage_log::AtRecord;
use std::sync::Arc;

/// What a case of a sweep adds to a scenario.
pub(crate) struct Disturbance {
    pub rules: Vec<Rule>,
    /// An event at a record of the journal.
    pub at: Option<AtRecord>,
    /// What the operator does when a step fails; without it, a step that fails ends the run.
    pub asked: Option<Asked>,
    /// What another system or person changes in the world.
    pub change: Option<ChangeAt>,
    /// Another controller's run on the same host.
    pub rival: Option<RivalAt>,
    pub case: CaseFacts,
    pub undisturbed: Arc<End>,
}

impl Disturbance {
    /// What the process does while the world changes or a rival begins; `None` in cases without either.
    pub(crate) fn moment(&self) -> Option<Moment> {
        let change = self.change.map(|it| it.moment);
        change.or(self.rival.map(|it| it.moment))
    }
}

/// What the operator does at questions about a step that failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// In the process that begins the run.
    pub first: Attendance,
    /// In the process that resumes it; without it, a run that pauses is ended.
    pub resumed: Option<Attendance>,
}
