//! Where the records of a run go.

use crate::database::{Sum, sum};
use crate::record::Entry;
use sha2::{Digest, Sha256};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wreimage_capability::lease::JournalMark;

/// A record could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the journal of the run at {}: {source}", path.display())]
pub struct LogError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Takes the records of one run.
pub trait Log: Send + Sync {
    /// Appends a record. When `durable`, it is on stable storage before this returns, and so is everything before it.
    ///
    /// # Errors
    /// When it cannot be kept; what it announces must then not be done.
    fn append(&self, entry: &Entry, durable: bool) -> Result<(), LogError>;

    /// How far the journal reaches on stable storage: the number of the last durable record, and the sum up to it. What
    /// another system is shown of the journal is never more than a crash of this machine leaves.
    fn mark(&self) -> JournalMark;

    /// Keeps bytes by digest; returns their SHA-256 in hexadecimal.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn keep(&self, bytes: &[u8]) -> Result<String, LogError>;
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A mark with this sum.
pub(crate) fn mark_of(length: u64, sum: Sum) -> JournalMark {
    JournalMark {
        length,
        sum: sum.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Keeps records in memory.
#[derive(Debug, Default)]
pub struct MemoryLog {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<Entry>,
    last: Sum,
    mark: JournalMark,
}

impl MemoryLog {
    /// An empty one.
    pub fn new() -> Self {
        MemoryLog::default()
    }

    /// One that holds these records, all of them on stable storage.
    ///
    /// # Errors
    /// When one cannot be kept.
    pub fn of(entries: &[Entry]) -> Result<Self, LogError> {
        let log = MemoryLog::new();
        for entry in entries {
            log.append(entry, true)?;
        }
        Ok(log)
    }

    /// All records so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.kept().entries.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for MemoryLog {
    fn append(&self, entry: &Entry, durable: bool) -> Result<(), LogError> {
        let body = serde_json::to_string(&entry.record).map_err(|error| LogError {
            path: PathBuf::new(),
            source: error.into(),
        })?;
        let mut kept = self.kept();
        kept.last = sum(kept.last, entry.number, entry.time.as_millisecond(), &body);
        if durable {
            kept.mark = mark_of(entry.number, kept.last);
        }
        kept.entries.push(entry.clone());
        Ok(())
    }

    fn mark(&self) -> JournalMark {
        self.kept().mark.clone()
    }

    fn keep(&self, bytes: &[u8]) -> Result<String, LogError> {
        Ok(digest(bytes))
    }
}
