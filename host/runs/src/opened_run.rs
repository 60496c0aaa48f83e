//! A run whose journal this process has opened to continue it or to end it: from here on no other process drives it.

use crate::error::RunsError;
use crate::store::RunStore;
use wreimage_engine::ResumeError;
use wreimage_journal::{Entry, Header, Locks, OpenError, Reopened, RunDatabase};

/// A run whose journal this process has opened to continue it or to end it.
pub struct OpenedRun {
    pub(crate) journal: RunDatabase,
    pub(crate) entries: Vec<Entry>,
    pub(crate) header: Header,
    pub(crate) cut: Option<OpenError>,
}

impl OpenedRun {
    /// To continue it.
    ///
    /// # Errors
    /// When its journal cannot be opened, or the run cannot be continued.
    pub fn to_resume(store: &RunStore, run: &str) -> Result<Self, RunsError> {
        let (journal, entries) = RunDatabase::resume(store.state(), run)?;
        let header = wreimage_engine::resumable(&entries).cloned();
        Ok(OpenedRun {
            header: header.map_err(|error| over(store, run, error))?,
            journal,
            entries,
            cut: None,
        })
    }

    /// To end it.
    ///
    /// # Errors
    /// When its journal cannot be opened, or the run has ended.
    pub fn to_end(store: &RunStore, run: &str) -> Result<Self, RunsError> {
        let Reopened {
            database: journal,
            entries,
            cut,
        } = RunDatabase::reopen(store.state(), run)?;
        let header = wreimage_engine::endable(&entries).cloned();
        Ok(OpenedRun {
            header: header.map_err(|error| over(store, run, error))?,
            journal,
            entries,
            cut,
        })
    }

    /// What it was started with.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its records.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Why its journal is not whole, if it is not.
    pub fn cut(&self) -> Option<&OpenError> {
        self.cut.as_ref()
    }

    /// SHA-256 of the guest of its last records.
    pub fn guest_digest(&self) -> &str {
        wreimage_engine::guest_digest(&self.entries).unwrap_or(&self.header.guest_digest)
    }
}

/// A run that no one continues holds no lock, however its process ended.
fn over(store: &RunStore, run: &str, error: ResumeError) -> RunsError {
    if matches!(
        error,
        ResumeError::Empty | ResumeError::Finished { .. } | ResumeError::Gone(_)
    ) {
        // A lock that cannot be given back now is named by whoever wants it.
        let _given = Locks::open(store.state()).and_then(|locks| locks.release_all_of(run));
    }
    error.into()
}
