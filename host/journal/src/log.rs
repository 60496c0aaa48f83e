//! Where records go: an append-only file of JSON lines for each run.

use crate::record::Entry;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A record could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the record of the run at {}: {source}", path.display())]
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
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `runs/RUN/` in a state directory: `events.jsonl` and `blobs/`.
pub struct RunDirectory {
    path: PathBuf,
    file: Mutex<File>,
}

impl RunDirectory {
    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// When it cannot be made, or a run of that id is there already.
    pub fn create(state: &Path, run: &str) -> Result<Self, LogError> {
        let path = state.join("runs").join(run);
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| LogError { path, source }
        };
        fs::create_dir_all(&path).map_err(at(&path))?;
        let events = path.join("events.jsonl");
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&events)
            .map_err(at(&events))?;
        Ok(RunDirectory {
            path,
            file: Mutex::new(file),
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, source: io::Error) -> LogError {
        LogError {
            path: self.path.clone(),
            source,
        }
    }
}

impl Log for RunDirectory {
    fn append(&self, entry: &Entry, durable: bool) -> Result<(), LogError> {
        let mut line = serde_json::to_vec(entry).map_err(|error| self.error(error.into()))?;
        line.push(b'\n');
        let mut file = match self.file.lock() {
            Ok(file) => file,
            Err(poisoned) => poisoned.into_inner(),
        };
        file.write_all(&line).map_err(|error| self.error(error))?;
        if durable {
            file.sync_data().map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    fn keep(&self, bytes: &[u8]) -> Result<String, LogError> {
        let digest = digest(bytes);
        let folder = self.path.join("blobs");
        fs::create_dir_all(&folder).map_err(|error| self.error(error))?;
        fs::write(folder.join(&digest), bytes).map_err(|error| self.error(error))?;
        Ok(digest)
    }
}

/// Reads the records of a run back.
#[derive(Debug)]
pub struct Records;

impl Records {
    /// Every record in a run's folder.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is not a record.
    pub fn read(folder: &Path) -> Result<Vec<Entry>, LogError> {
        let path = folder.join("events.jsonl");
        let at = |source| LogError {
            path: path.clone(),
            source,
        };
        let text = fs::read_to_string(&path).map_err(at)?;
        text.lines()
            .enumerate()
            .map(|(index, line)| {
                serde_json::from_str(line).map_err(|error| {
                    at(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("line {}: {error}", index + 1),
                    ))
                })
            })
            .collect()
    }
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
