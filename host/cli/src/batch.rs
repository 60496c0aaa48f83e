//! What was ordered for several hosts, as it is kept: another process can go on with it, look at it and cancel it.

use crate::arguments::Many;
use crate::begin::{Order, Tools};
use crate::exit::Failure;
use crate::hosts::Hosts;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wreimage_engine::RunRequest;
use wreimage_journal::Mode;

/// Whoever looks whether a batch is worked on holds its lock for a moment: so often, and with this pause, it is tried.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// What was ordered for several hosts: with it, those that were not begun can be begun later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Batch {
    pub id: String,
    /// As given.
    pub hosts: String,
    pub mode: Mode,
    pub site: Option<PathBuf>,
    pub guest_digest: String,
    pub order: Order,
    pub parallel: u16,
    pub max_failures: u16,
    pub batch_sleep: Option<Duration>,
}

/// `20260131T235959-batch-4f3a09c2`.
pub fn new_id() -> String {
    RunRequest::new("batch", "").run
}

impl Batch {
    pub fn new(id: String, hosts: &Hosts, tools: &Tools, order: Order, many: &Many) -> Batch {
        Batch {
            id,
            hosts: hosts.to_string(),
            mode: tools.ground.mode(),
            site: tools.ground.site_file().map(Path::to_owned),
            guest_digest: tools.guest.digest().to_owned(),
            order,
            parallel: many.parallel,
            max_failures: many.max_failures,
            batch_sleep: many.batch_sleep,
        }
    }

    fn path(state: &Path, id: &str) -> PathBuf {
        state.join("batches").join(format!("{id}.json"))
    }

    /// The batch of this id, if it is one.
    pub fn read(state: &Path, id: &str) -> Result<Option<Batch>, Failure> {
        let path = Batch::path(state, id);
        let is_name = !id.is_empty() && !id.starts_with('.') && !id.contains(['/', '\0']);
        if !is_name || !path.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::usage(format!("{} cannot be read: {error}", path.display()))
        })?;
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| Failure::refused(format!("{} is damaged: {error}", path.display())))
    }

    /// Locked by the process that works on the batch, as long as it lives.
    fn driver_path(state: &Path, id: &str) -> PathBuf {
        state.join("batches").join(format!("{id}.driver"))
    }

    /// From here on this process works on the batch, until the file is dropped.
    pub async fn drive(&self, state: &Path) -> Result<File, Failure> {
        let path = Batch::driver_path(state, &self.id);
        let failed = |error: std::io::Error| {
            Failure::usage(format!("{} cannot be locked: {error}", path.display()))
        };
        let mut file = File::open(&path);
        if file.is_err() {
            wreimage_journal::keep_file(state, &path, &[]).map_err(failed)?;
            file = File::open(&path);
        }
        let file = file.map_err(failed)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Err(Failure::refused(format!(
            "another process works on the batch {0}: `wreimage attach {0}` shows it",
            self.id
        )))
    }

    /// Whether a process works on the batch.
    pub fn is_driven(&self, state: &Path) -> bool {
        let path = Batch::driver_path(state, &self.id);
        File::open(path)
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn cancel_path(state: &Path, id: &str) -> PathBuf {
        state.join("batches").join(format!("{id}.cancel"))
    }

    /// Leaves the wish that no further run of it begins.
    pub fn leave_cancel(&self, state: &Path, actor: &str) -> Result<(), Failure> {
        let path = Batch::cancel_path(state, &self.id);
        wreimage_journal::keep_file(state, &path, actor.as_bytes()).map_err(|error| {
            Failure::usage(format!("{} cannot be written: {error}", path.display()))
        })
    }

    /// It is gone on with: what somebody wished before is over.
    pub fn forget_cancel(&self, state: &Path) -> Result<(), Failure> {
        let path = Batch::cancel_path(state, &self.id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::usage(
                format!("{} cannot be removed: {error}", path.display()),
            )),
            _ => Ok(()),
        }
    }

    /// Whether somebody has wished from another terminal that no further run begins.
    pub fn is_cancelled(&self, state: &Path) -> bool {
        Batch::cancel_path(state, &self.id).is_file()
    }

    /// Removes all that is kept of it besides its runs.
    pub fn remove(&self, state: &Path) -> std::io::Result<()> {
        std::fs::remove_file(Batch::path(state, &self.id))?;
        let log = state.join("detached").join(format!("{}.log", self.id));
        for rest in [
            Batch::driver_path(state, &self.id),
            Batch::cancel_path(state, &self.id),
            log,
        ] {
            let _ = std::fs::remove_file(rest);
        }
        Ok(())
    }

    pub fn keep(&self, state: &Path) -> Result<(), Failure> {
        let path = Batch::path(state, &self.id);
        let failed = |error: std::io::Error| {
            Failure::usage(format!(
                "the batch cannot be kept in {}: {error}",
                path.display()
            ))
        };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        wreimage_journal::keep_file(state, &path, &text).map_err(failed)
    }
}
