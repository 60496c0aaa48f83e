//! Where the records of a run go.

use crate::record::Entry;
use sha2::{Digest, Sha256};
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

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

/// Keeps records in memory.
#[derive(Debug, Default)]
pub struct MemoryLog {
    entries: Mutex<Vec<Entry>>,
}

impl MemoryLog {
    /// An empty one.
    pub fn new() -> Self {
        MemoryLog::default()
    }

    /// All records so far.
    pub fn entries(&self) -> Vec<Entry> {
        match self.entries.lock() {
            Ok(entries) => entries.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }
}

impl Log for MemoryLog {
    fn append(&self, entry: &Entry, _durable: bool) -> Result<(), LogError> {
        match self.entries.lock() {
            Ok(mut entries) => entries.push(entry.clone()),
            Err(poisoned) => poisoned.into_inner().push(entry.clone()),
        }
        Ok(())
    }

    fn keep(&self, bytes: &[u8]) -> Result<String, LogError> {
        Ok(digest(bytes))
    }
}
