//! What shows the runs of this process, and answers for its operator.

use crate::launch_settings::Questions;
use crate::launch_stage::LaunchStage;
use crate::recorded_site::SiteChange;
use crate::run_result::HostResult;
use std::sync::Arc;
use wreimage_capability::{BoxFuture, Clock};
use wreimage_engine::{Consent, Operator};
use wreimage_journal::{Ending, Entry, RunDatabase};
use wreimage_lab::Participant;

/// Whose record it is.
#[derive(Debug, Clone)]
pub struct RunSource {
    /// Id of the run.
    pub run: Arc<str>,
    /// Short name of its host.
    pub host: Arc<str>,
}

impl RunSource {
    /// The records of this run.
    pub fn new(run: &str, host: &str) -> Self {
        RunSource {
            run: run.into(),
            host: host.into(),
        }
    }
}

/// A run whose questions are to be answered.
#[derive(Clone)]
pub struct AttendedRun {
    /// Short name of its host.
    pub host: String,
    /// Who drives it: the name that answers are recorded with.
    pub actor: String,
    /// Where answers from other processes come in.
    pub journal: Arc<RunDatabase>,
    /// Whether a question can wait for another process.
    pub resumable: bool,
    /// What becomes of questions.
    pub questions: Questions,
    /// The clock of the run.
    pub clock: Arc<dyn Clock>,
    /// The run's part in a lab that others share, whose time goes on while a person thinks.
    pub seat: Option<Arc<Participant>>,
}

/// Who answers for the operator of a run.
pub struct Attendance {
    /// Answers the questions of the guest.
    pub operator: Arc<dyn Operator>,
    /// Gives consent to the first change.
    pub consent: Arc<dyn Consent>,
}

/// The answer of an operator to a [`SiteChange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// Continue with the file as it is now.
    Yes,
    /// Do nothing.
    No,
    /// No operator can be asked.
    NotAsked,
}

/// What shows the runs of this process, and answers for its operator: a terminal, a web page, a controller of a fleet.
pub trait Frontend: Send + Sync {
    /// A record was made.
    fn record(&self, from: &RunSource, entry: &Entry);

    /// Something that an operator is to know besides the records.
    fn line(&self, text: &str);

    /// Who answers for the operator of this run.
    fn attend(self: Arc<Self>, run: AttendedRun) -> Attendance;

    /// Whether a run or a batch is continued by a site file that has changed. No one is asked unless this is overridden.
    fn confirm_site<'a>(&'a self, _change: &'a SiteChange) -> BoxFuture<'a, Confirmed> {
        Box::pin(async { Confirmed::NotAsked })
    }

    /// The exit code of the program that a notification of this end reports, where there is a program.
    fn exit_code(&self, _ending: &Ending) -> Option<u8> {
        None
    }

    /// All runs of this process are cancelled now, by the wish of another process.
    fn cancelling(&self) {}

    /// The work on a host of a batch has ended.
    fn host_ended(&self, _result: &HostResult) {}

    /// The launch of a run has reached this stage.
    fn stage(&self, _stage: LaunchStage) {}
}
