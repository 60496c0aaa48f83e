//! What runs are started with.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use wreimage_journal::{Mode, OnFailure};

/// All that a run is started with, but for its host and its guest. The runs of a batch share it; it is kept with the batch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LaunchSettings {
    /// Options of the guest, as given.
    pub options: Vec<(String, String)>,
    /// Whether it is a rehearsal.
    pub dry_run: bool,
    /// Nothing keeps another run of this state folder from the host.
    pub no_locks: bool,
    /// The host key that the operator has given; for one host.
    #[serde(default)]
    pub host_key: Option<String>,
    /// The runs over whose stale claims these may begin.
    #[serde(default)]
    pub take_over: Vec<String>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// What a step that fails does.
    pub on_failure: OnFailure,
    /// Answers for questions that nobody answers in time: the first that a question offers is taken.
    pub default_answer: Vec<String>,
    /// How long a question waits for an operator.
    pub answer_within: Option<Duration>,
    /// The batch that the runs are of, when there are several.
    pub batch: Option<String>,
}

impl LaunchSettings {
    /// What becomes of questions.
    pub fn questions(&self) -> Questions {
        Questions {
            pause: self.on_failure == OnFailure::Pause,
            default: self.default_answer.clone(),
            within: self.answer_within,
        }
    }

    /// Whether another process can continue a run with these settings.
    pub fn is_resumable(&self, mode: &Mode) -> bool {
        !self.dry_run && *mode != Mode::Lab
    }
}

/// What becomes of the questions of a run.
#[derive(Debug, Clone, Default)]
pub struct Questions {
    /// They are not asked here: the run pauses.
    pub pause: bool,
    /// For want of an answer, the first of these that is offered is taken.
    pub default: Vec<String>,
    /// After so long.
    pub within: Option<Duration>,
}
