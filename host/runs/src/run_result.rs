//! What goes into a run, and what comes out of it.

use crate::error::RunsError;
use std::path::PathBuf;
use wreimage_engine::{Guest, Report};

/// A guest, and the bytes that are kept for whoever continues its run.
pub struct LoadedGuest {
    /// The guest.
    pub guest: Guest,
    /// Its file.
    pub bytes: Vec<u8>,
}

/// A run that has ended, or waits.
pub struct RunResult {
    /// What it did, and how it ended.
    pub report: Report,
    /// Where its record is.
    pub recorded: PathBuf,
}

/// What is to be done on a host of a batch.
#[derive(Debug, Clone)]
pub enum HostTask {
    /// Begin a run on it.
    Begin(String),
    /// Continue this run.
    Resume(String, String),
}

impl HostTask {
    /// The host.
    pub fn host(&self) -> &str {
        match self {
            HostTask::Begin(host) | HostTask::Resume(host, _) => host,
        }
    }
}

/// How the work on a host of a batch ended.
pub struct HostResult {
    /// What was to be done.
    pub task: HostTask,
    /// How its run ended; `None` when it did not begin.
    pub result: Option<Result<RunResult, RunsError>>,
    /// Its run was ended while it waited for its turn: nothing was changed.
    pub is_kept_back: bool,
}
