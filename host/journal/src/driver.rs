//! Who drives a run: one process at a time, as long as it holds the lock of the file `driver`.

use crate::database::run_folder;
use crate::folder::Folder;
use crate::lock::began;
use crate::open_error::OpenError;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

/// The file in the folder of a run.
const DRIVER: &str = "driver";

/// What is read of it, in bytes: it is two short lines.
const LONGEST: u64 = 1024;

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
    let told = told(&mut run_folder(state, run).ok()?.open(DRIVER).ok()?);
    let (first, began) = told.trim().split_once('\n')?;
    Some(Process {
        id: first.strip_prefix("process ")?.parse().ok()?,
        began: began.to_owned(),
    })
}

/// What a driver has written of itself, or what there is of that.
fn told(file: &mut File) -> String {
    let mut told = String::new();
    let _ = file.rewind();
    let _ = file.take(LONGEST).read_to_string(&mut told);
    told
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
    let folder = run_folder(state, run)?;
    let unreadable = |source| OpenError::Unreadable {
        path: folder.path().join(DRIVER),
        source,
    };
    let mut file = match folder.open(DRIVER) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(named(&told(&mut file)))),
        Err(TryLockError::Error(error)) => Err(unreadable(error)),
    }
}

/// Why this process does not drive a run.
pub(crate) enum NotDriver {
    Driven(String),
    Failed(io::Error),
}

/// Locked while this process drives the run; the system lets go of it when the process dies.
pub(crate) fn lock_driver(folder: &Folder) -> Result<File, NotDriver> {
    let mut file = folder.open_or_create(DRIVER).map_err(NotDriver::Failed)?;
    let mut tries = 1;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if tries < TRIES => {
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(NotDriver::Driven(named(&told(&mut file))));
            }
            Err(TryLockError::Error(error)) => return Err(NotDriver::Failed(error)),
        }
    }
    // Somebody else's file keeps its mode.
    let _ = folder.share(&file, 0o600);
    let own = Process::own();
    let text = format!("process {}\n{}\n", own.id, own.began);
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(text.as_bytes()))
        .map_err(NotDriver::Failed)?;
    Ok(file)
}
