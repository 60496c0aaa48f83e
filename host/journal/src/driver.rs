//! Who drives a run: one process at a time, as long as it holds the lock of the file `driver`.

use crate::database::{OpenError, journal_of, run_folder};
use crate::lock::began;
use crate::state_dir::share_as;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Whoever looks holds the lock for a moment: so often, and with this pause, it is tried before somebody else drives the run.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// A process that will never be taken for another one of the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// In which boot of the machine, and when in it, it began, as [`process_began`](crate::process_began) has it.
    pub began: String,
}

impl Process {
    /// This one.
    pub fn own() -> Self {
        let id = std::process::id();
        Process {
            id,
            began: began(id).unwrap_or_default(),
        }
    }

    /// The living process of this id, if there is one.
    pub fn find(id: u32) -> Option<Self> {
        began(id).map(|began| Process { id, began })
    }

    /// Whether it is still there.
    pub fn lives(&self) -> bool {
        began(self.id).as_deref() == Some(&*self.began)
    }
}

/// The process that drives a run, or has driven it last.
pub fn last_driver(state: &Path, run: &str) -> Option<Process> {
    let told = fs::read_to_string(run_folder(state, run).join("driver")).ok()?;
    let (first, began) = told.trim().split_once('\n')?;
    Some(Process {
        id: first.strip_prefix("process ")?.parse().ok()?,
        began: began.to_owned(),
    })
}

/// A driver for people: `process 4711`.
fn named(told: &str) -> String {
    told.lines().next().unwrap_or_default().trim().to_owned()
}

/// Who drives the run at this moment; nobody when its process is gone.
///
/// # Errors
/// When there is no such run.
pub fn driver(state: &Path, run: &str) -> Result<Option<String>, OpenError> {
    let path = journal_of(state, run)?;
    let lock = run_folder(state, run).join("driver");
    let unreadable = |source| OpenError::Unreadable {
        path: path.clone(),
        source,
    };
    let file = match File::open(&lock) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let told = fs::read_to_string(&lock).unwrap_or_default();
            Ok(Some(named(&told)))
        }
        Err(TryLockError::Error(error)) => Err(unreadable(error)),
    }
}

/// Why this process does not drive a run.
pub(crate) enum NotDriver {
    Driven(String),
    Failed(io::Error),
}

/// Locked while this process drives the run; the system lets go of it when the process dies.
pub(crate) fn lock_driver(state: &Path, folder: &Path) -> Result<File, NotDriver> {
    let path = folder.join("driver");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(NotDriver::Failed)?;
    let mut tries = 1;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if tries < TRIES => {
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                let told = fs::read_to_string(&path).unwrap_or_default();
                return Err(NotDriver::Driven(named(&told)));
            }
            Err(TryLockError::Error(error)) => return Err(NotDriver::Failed(error)),
        }
    }
    // Somebody else's file keeps its mode.
    let _ = share_as(state, &path, 0o600);
    let own = Process::own();
    let text = format!("process {}\n{}\n", own.id, own.began);
    fs::write(&path, text).map_err(NotDriver::Failed)?;
    Ok(file)
}
