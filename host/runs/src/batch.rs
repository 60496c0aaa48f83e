//! What was ordered for several hosts, as it is kept: another process can go on with it, look at it and cancel it.

use crate::detached;
use crate::error::RunsError;
use crate::hosts::Hosts;
use crate::launch_settings::LaunchSettings;
use crate::recorded_site::RecordedSite;
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
    /// Its id, such as `20260131T235959-batch-4f3a09c2`.
    pub id: String,
    /// As given.
    pub hosts: String,
    /// What its runs work on.
    pub mode: Mode,
    /// Its site. Its file is the operator's own whenever the batch is continued: its path is not kept.
    #[serde(default)]
    pub of_site: Option<RecordedSite>,
    /// SHA-256 of the guest of its runs.
    pub guest_digest: String,
    /// What its runs are started with.
    #[serde(rename = "order")]
    pub settings: LaunchSettings,
    /// How many hosts are worked on at the same time.
    pub parallel: u16,
    /// No further host begins when so many runs have not succeeded.
    pub max_failures: u16,
    /// The pause between the beginnings of two runs.
    pub batch_sleep: Option<Duration>,
}

impl Batch {
    /// A new id: `20260131T235959-batch-4f3a09c2`.
    pub fn new_id() -> String {
        RunRequest::new("batch", "").run
    }

    /// Its hosts.
    ///
    /// # Errors
    /// When its file names none.
    pub fn hosts(&self) -> Result<Hosts, RunsError> {
        Hosts::parse(&self.hosts).map_err(RunsError::BatchHosts)
    }

    /// Whether another process can continue it.
    pub fn is_resumable(&self) -> bool {
        self.settings.is_resumable(&self.mode)
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
    ///
    /// # Errors
    /// When its file cannot be read, or is damaged.
    pub fn read(state: &Path, id: &str) -> Result<Option<Batch>, RunsError> {
        if id.starts_with('.') {
            return Ok(None);
        }
        let file = format!("{id}.json");
        let path = Batch::path(state, &file);
        let bytes = match Batch::folder(state).and_then(|folder| folder.read(&file)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                let what = "read";
                return Err(RunsError::BatchFile { path, what, source });
            }
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| RunsError::BatchDamaged { path, source })
    }

    /// Locked by the process that works on the batch, as long as it lives.
    fn driver_file(&self) -> String {
        format!("{}.driver", self.id)
    }

    /// From here on this process works on the batch, until the file is dropped.
    ///
    /// # Errors
    /// When another process works on it, or its lock cannot be opened.
    pub async fn drive(&self, state: &Path) -> Result<File, RunsError> {
        let name = self.driver_file();
        let failed = |source: io::Error| RunsError::BatchFile {
            path: Batch::path(state, &name),
            what: "locked",
            source,
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
        Err(RunsError::BatchDriven(self.id.clone()))
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
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn leave_cancel(&self, state: &Path, actor: &str) -> Result<(), RunsError> {
        let name = self.cancel_file();
        let kept =
            Batch::make_folder(state).and_then(|folder| folder.keep(&name, actor.as_bytes()));
        kept.map_err(|source| RunsError::BatchFile {
            path: Batch::path(state, &name),
            what: "written",
            source,
        })
    }

    /// It is gone on with: what somebody wished before is over.
    ///
    /// # Errors
    /// When that cannot be removed.
    pub fn forget_cancel(&self, state: &Path) -> Result<(), RunsError> {
        let name = self.cancel_file();
        match Batch::folder(state).and_then(|folder| folder.remove(&name)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RunsError::BatchFile {
                path: Batch::path(state, &name),
                what: "removed",
                source,
            }),
            _ => Ok(()),
        }
    }

    /// Whether somebody has wished from another terminal that no further run begins.
    pub fn is_cancelled(&self, state: &Path) -> bool {
        Batch::folder(state).is_ok_and(|folder| folder.has_file(&self.cancel_file()))
    }

    /// Removes all that is kept of it besides its runs.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn remove(&self, state: &Path) -> io::Result<()> {
        let folder = Batch::folder(state)?;
        folder.remove(&self.file())?;
        for rest in [self.driver_file(), self.cancel_file()] {
            let _ = folder.remove(&rest);
        }
        detached::remove_log(&Folder::of_state(state)?, &self.id);
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

    /// Keeps it, so that another process can continue it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, state: &Path) -> Result<(), RunsError> {
        let failed = |source: io::Error| RunsError::BatchNotKept {
            path: Batch::path(state, &self.file()),
            source,
        };
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        Batch::make_folder(state)
            .and_then(|folder| folder.keep(&self.file(), &text))
            .map_err(failed)
    }
}
