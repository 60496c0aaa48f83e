//! Who drives a run: one process at a time, as long as it holds the lock of the file `driver`.

use crate::database::{OpenError, journal_of, run_folder};
use crate::state_dir::share_as;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Whoever looks holds the lock for a moment: so often, and with this pause, it is tried before somebody else drives the run.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

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
            Ok(Some(told.trim().to_owned()))
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
                return Err(NotDriver::Driven(told.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(NotDriver::Failed(error)),
        }
    }
    // Somebody else's file keeps its mode.
    let _ = share_as(state, &path, 0o600);
    let text = format!("process {}\n", std::process::id());
    fs::write(&path, text).map_err(NotDriver::Failed)?;
    Ok(file)
}
