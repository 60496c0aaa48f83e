//! Why something cannot be done with the runs of this machine.

use crate::recorded_site::SiteChange;
use std::io;
use std::path::PathBuf;
use wreimage_engine::{GuestError, OptionError, ResumeError, RunError};
use wreimage_journal::{Held, LockError, LogError, OpenError};
use wreimage_lab::{KeptError, WorldError};
use wreimage_site::ConfigError;

/// For what kind of reason: what a caller does next depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller can correct it.
    Usage,
    /// It must not be done, and nothing was changed.
    Refused,
    /// It waits for an operator, as it did before.
    Paused,
    /// The host failed.
    Internal,
}

/// Why something cannot be done with the runs of this machine. Nothing was changed by it on any system.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// The folder of runs cannot be read.
    #[error("the runs in {} cannot be read: {source}", state.display())]
    RunsUnreadable {
        /// The state folder.
        state: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No run is meant.
    #[error("there is no run {given:?} in {}; `wreimage runs` lists those that there are", state.display())]
    NoRun {
        /// What was given.
        given: String,
        /// The state folder.
        state: PathBuf,
    },
    /// Several runs are meant.
    #[error("{given:?} is the begin or end of several runs: {}", runs.join(", "))]
    SeveralRuns {
        /// What was given.
        given: String,
        /// Their ids.
        runs: Vec<String>,
    },
    /// A batch is named where one run is meant.
    #[error("{0} is a batch, and this is for one run: `wreimage show {0}` lists its runs")]
    IsBatch(String),
    /// A journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// A run has no record.
    #[error("the run {0} never began")]
    NeverBegan(String),
    /// A journal cannot be created, or locks cannot be read.
    #[error(transparent)]
    Store(#[from] LogError),
    /// Another run holds the lock of the host.
    #[error("{}", locked(held, state.as_deref()))]
    Locked {
        /// Its lock.
        held: Box<Held>,
        /// Where that run stands, if that can be read.
        state: Option<String>,
    },
    /// A file of a batch cannot be read, locked, written or removed.
    #[error("{} cannot be {what}: {source}", path.display())]
    BatchFile {
        /// The file.
        path: PathBuf,
        /// `read`, `locked`, `written`, `removed`.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A batch cannot be kept.
    #[error("the batch cannot be kept in {}: {source}", path.display())]
    BatchNotKept {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of a batch is not what was written.
    #[error("{} is damaged: {source}", path.display())]
    BatchDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The hosts of a batch cannot be understood.
    #[error("{0}")]
    BatchHosts(String),
    /// Another process works on a batch.
    #[error("another process works on the batch {0}: `wreimage attach {0}` shows it")]
    BatchDriven(String),
    /// All runs of a batch have ended.
    #[error("all runs of the batch {0} have ended")]
    BatchEnded(String),
    /// A guest cannot be kept for its run.
    #[error("the guest cannot be kept in {}: {source}", path.display())]
    GuestNotKept {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A guest that a run has kept cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    GuestUnreadable {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A guest that a run has kept cannot be loaded.
    #[error("{}: {source}", path.display())]
    GuestRefused {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: Box<GuestError>,
    },
    /// A guest that a run has kept is another one now.
    #[error(
        "{} is not the guest that the run was driven by: its SHA-256 differs; give the right file with --guest",
        path.display()
    )]
    OtherGuest {
        /// Its file.
        path: PathBuf,
    },
    /// The site file or its inventory does not fit the host.
    #[error(transparent)]
    Site(#[from] ConfigError),
    /// The folder of a lab's world cannot be used.
    #[error(transparent)]
    World(#[from] KeptError),
    /// A world file cannot be read.
    #[error(
        "the world file {} cannot be read: {source}; `wreimage lab show` prints one to begin with",
        path.display()
    )]
    WorldFileUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A world file is wrong.
    #[error("the world file {}: {source}", path.display())]
    WorldFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WorldError,
    },
    /// The state folder would not survive a restart of this machine.
    #[error(transparent)]
    Volatile(io::Error),
    /// The site grants the guest less than it calls.
    #[error("{0}")]
    NotGranted(String),
    /// The guest's options are wrong.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// The option that names the task has no task.
    #[error("--{option} takes the id of a task such as T12345, not {given:?}; nothing was touched")]
    NoTask {
        /// The option.
        option: &'static str,
        /// What it has, cut.
        given: String,
    },
    /// The journal is of a run that cannot be continued or ended.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// Another run has changed the host.
    #[error(
        "since the run {run} began, the run {other} has changed {host}: to go on would destroy its work. `wreimage cleanup {run}` \
         ends this one and takes back what only it has set"
    )]
    Overtaken {
        /// The run that was to be continued.
        run: String,
        /// The run that has changed the host.
        other: String,
        /// The host.
        host: String,
    },
    /// The run or batch is of another site.
    #[error(
        "the {what} is of the site {recorded}, and this is {own}; name its site file with --site"
    )]
    OtherSite {
        /// `run 2026…` or `batch 2026…`.
        what: String,
        /// The site that is recorded.
        recorded: String,
        /// The site here.
        own: String,
    },
    /// The site file has changed, and no operator can confirm that now.
    #[error(
        "the site file of {} is not the one by which the {} was begun (recorded sha256 {}, now {}): nothing was done. Check what \
         has changed in it, then give the same command with --changed-site",
        .0.site, .0.what, .0.recorded, .0.now
    )]
    ChangedSite(SiteChange),
    /// The operator did not confirm a changed site file.
    #[error(
        "the changed site file was not confirmed: nothing was done, and the {0} stays as it is"
    )]
    ChangedSiteNotConfirmed(String),
    /// No one could be notified of a lost run.
    #[error("{0}")]
    NotNotified(String),
    /// The engine did not run the guest.
    #[error("{}", run_error(.0))]
    Run(#[from] RunError),
    /// A defect of this program ended a run.
    #[error("the run was lost in this process: {0}")]
    Lost(#[from] tokio::task::JoinError),
}

impl RunsError {
    /// For what kind of reason.
    pub fn kind(&self) -> ErrorKind {
        match self {
            RunsError::Journal(OpenError::NoRun { .. })
            | RunsError::RunsUnreadable { .. }
            | RunsError::NoRun { .. }
            | RunsError::SeveralRuns { .. }
            | RunsError::IsBatch(_)
            | RunsError::Store(_)
            | RunsError::BatchFile { .. }
            | RunsError::BatchNotKept { .. }
            | RunsError::GuestNotKept { .. }
            | RunsError::GuestUnreadable { .. }
            | RunsError::Site(_)
            | RunsError::World(_)
            | RunsError::WorldFileUnreadable { .. }
            | RunsError::WorldFile { .. }
            | RunsError::Volatile(_)
            | RunsError::Options(_)
            | RunsError::NoTask { .. }
            | RunsError::OtherSite { .. } => ErrorKind::Usage,
            RunsError::Journal(_)
            | RunsError::NeverBegan(_)
            | RunsError::Locked { .. }
            | RunsError::BatchDamaged { .. }
            | RunsError::BatchHosts(_)
            | RunsError::BatchDriven(_)
            | RunsError::BatchEnded(_)
            | RunsError::GuestRefused { .. }
            | RunsError::OtherGuest { .. }
            | RunsError::NotGranted(_)
            | RunsError::Resume(_)
            | RunsError::Overtaken { .. } => ErrorKind::Refused,
            RunsError::Run(RunError::NotGranted(_) | RunError::OtherGuest(_)) => ErrorKind::Refused,
            RunsError::ChangedSite(_) | RunsError::ChangedSiteNotConfirmed(_) => ErrorKind::Paused,
            RunsError::Run(_) | RunsError::Lost(_) | RunsError::NotNotified(_) => {
                ErrorKind::Internal
            }
        }
    }
}

impl From<LockError> for RunsError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Taken(held) => RunsError::Locked { held, state: None },
            LockError::Store(error) => RunsError::Store(error),
        }
    }
}

/// Who holds a lock, and where the run of the holder stands.
fn locked(held: &Held, state: Option<&str>) -> String {
    let taken = LockError::Taken(Box::new(held.clone()));
    match state {
        None => taken.to_string(),
        Some(state) => format!("{taken}. Where that run stands: {state}"),
    }
}

fn run_error(error: &RunError) -> String {
    match error {
        RunError::Host(why) => why.clone(),
        other => other.to_string(),
    }
}
