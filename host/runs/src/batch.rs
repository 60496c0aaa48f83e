//! What was ordered for several hosts, as it is kept: another process can go on with it, look at it and cancel it.

use crate::arguments::Many;
use crate::begin::{Order, Tools};
use crate::detach;
use crate::exit::Failure;
use crate::hosts::Hosts;
use crate::own_site::RecordedSite;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wreimage_engine::RunRequest;
use wreimage_journal::{Folder, Mode};

/// The folder of all batches, in the state folder.
const BATCHES: &str = "batches";

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
    /// Its site. Its file is the operator's own whenever the batch is continued: its path is not kept.
    #[serde(default)]
    pub of_site: Option<RecordedSite>,
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
            of_site: Some(tools.ground.recorded_site()),
            guest_digest: tools.guest.digest().to_owned(),
            order,
            parallel: many.parallel,
            max_failures: many.max_failures,
            batch_sleep: many.batch_sleep,
        }
    }

    /// The folder of all batches, open.
    fn folder(state: &Path) -> io::Result<Folder> {
        Folder::of_state(state)?.sub(BATCHES)
    }

    /// The same, made unless it is there.
    fn make_folder(state: &Path) -> io::Result<Folder> {
        Folder::make_state(state)?.make_sub(BATCHES)
    }

    /// Where a file of it is, for messages.
    fn path(state: &Path, file: &str) -> PathBuf {
        state.join(BATCHES).join(file)
    }

    /// The batch of this id, if it is one.
    pub fn read(state: &Path, id: &str) -> Result<Option<Batch>, Failure> {
        if id.starts_with('.') {
            return Ok(None);
        }
        let file = format!("{id}.json");
        let path = Batch::path(state, &file);
        let bytes = match Batch::folder(state).and_then(|folder| folder.read(&file)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let why = format!("{} cannot be read: {error}", path.display());
                return Err(Failure::usage(why));
            }
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Failure::refused(format!("{} is damaged: {error}", path.display())))
    }

    /// Locked by the process that works on the batch, as long as it lives.
    fn driver_file(&self) -> String {
        format!("{}.driver", self.id)
    }

    /// From here on this process works on the batch, until the file is dropped.
    pub async fn drive(&self, state: &Path) -> Result<File, Failure> {
        let name = self.driver_file();
        let failed = |error: io::Error| {
            let path = Batch::path(state, &name);
            Failure::usage(format!("{} cannot be locked: {error}", path.display()))
        };
        let folder = Batch::make_folder(state).map_err(failed)?;
        // Another process may make it at the same time: both then open the one that is there.
        let _made = folder.create_new(&name);
        let file = folder.open(&name).map_err(failed)?;
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
        Batch::folder(state)
            .and_then(|folder| folder.open(&self.driver_file()))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn cancel_file(&self) -> String {
        format!("{}.cancel", self.id)
    }

    /// Leaves the wish that no further run of it begins.
    pub fn leave_cancel(&self, state: &Path, actor: &str) -> Result<(), Failure> {
        let name = self.cancel_file();
        let kept =
            Batch::make_folder(state).and_then(|folder| folder.keep(&name, actor.as_bytes()));
        kept.map_err(|error| {
            let path = Batch::path(state, &name);
            Failure::usage(format!("{} cannot be written: {error}", path.display()))
        })
    }

    /// It is gone on with: what somebody wished before is over.
    pub fn forget_cancel(&self, state: &Path) -> Result<(), Failure> {
        let name = self.cancel_file();
        match Batch::folder(state).and_then(|folder| folder.remove(&name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::usage(format!(
                "{} cannot be removed: {error}",
                Batch::path(state, &name).display()
            ))),
            _ => Ok(()),
        }
    }

    /// Whether somebody has wished from another terminal that no further run begins.
    pub fn is_cancelled(&self, state: &Path) -> bool {
        Batch::folder(state).is_ok_and(|folder| folder.has_file(&self.cancel_file()))
    }

    /// Removes all that is kept of it besides its runs.
    pub fn remove(&self, state: &Path) -> io::Result<()> {
        let folder = Batch::folder(state)?;
        folder.remove(&self.file())?;
        for rest in [self.driver_file(), self.cancel_file()] {
            let _ = folder.remove(&rest);
        }
        detach::remove_log(&Folder::of_state(state)?, &self.id);
        Ok(())
    }

    fn file(&self) -> String {
        format!("{}.json", self.id)
    }

    /// What is recorded of its site; one of an earlier version has none: its file must be confirmed.
    pub fn recorded_site(&self, own: &RecordedSite) -> RecordedSite {
        self.of_site.clone().unwrap_or_else(|| RecordedSite {
            name: own.name.clone(),
            digest: None,
        })
    }

    pub fn keep(&self, state: &Path) -> Result<(), Failure> {
        let failed = |error: io::Error| {
            let path = Batch::path(state, &self.file());
            Failure::usage(format!(
                "the batch cannot be kept in {}: {error}",
                path.display()
            ))
        };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        Batch::make_folder(state)
            .and_then(|folder| folder.keep(&self.file(), &text))
            .map_err(failed)
    }
}
