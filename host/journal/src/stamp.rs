//! Whether a journal may have changed, without opening it.

use crate::database::{JOURNAL, RUNS};
use crate::folder::Folder;
use rustix::fs::{AtFlags, Dir, FileType, statat};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// The log of writes beside a journal. What a process has written and not yet moved into the journal is there.
const LOG: &str = "journal.db-wal";

/// A version of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// Number of its inode.
    pub inode: u64,
    /// Its length in bytes.
    pub length: u64,
    /// When it was changed last, in nanoseconds since 1970.
    pub changed_ns: i64,
}

/// A run that has a journal, and the version of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampedRun {
    /// Id of the run.
    pub run: String,
    /// The version of its journal.
    pub journal: FileStamp,
}

/// All runs that have a journal, as [`runs`](crate::runs) lists them, with the versions of their files. A journal whose run has
/// ended changes no more: while its version is the same, what was read of it is still so.
///
/// # Errors
/// When the folder of runs cannot be read; `NotFound` when there is none.
pub fn stamped_runs(state: &Path) -> io::Result<Vec<StampedRun>> {
    let runs = Folder::of_state(state)?.sub(RUNS)?;
    let mut stamped = Vec::new();
    for entry in Dir::read_from(&runs.dir)? {
        let entry = entry?;
        // A link to a folder is no run: whoever opens it refuses it as well.
        let is_folder = matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
        let Some(run) = entry.file_name().to_str().ok().filter(|_| is_folder) else {
            continue;
        };
        if !run.starts_with('.')
            && let Some(journal) = stamp(&runs, run, JOURNAL)
        {
            let run = run.to_owned();
            stamped.push(StampedRun { run, journal });
        }
    }
    stamped.sort_unstable_by(|one, other| one.run.cmp(&other.run));
    Ok(stamped)
}

/// A run with the version of its journal, if it has one.
pub fn stamped_run(state: &Path, run: &str) -> Option<StampedRun> {
    let folder = Folder::of_state(state)
        .ok()?
        .sub(RUNS)
        .ok()?
        .sub(run)
        .ok()?;
    let journal = stamp(&folder, ".", JOURNAL)?;
    let run = run.to_owned();
    Some(StampedRun { run, journal })
}

/// The version of the log of writes beside the journal of a run, if it has one.
pub fn log_stamp(state: &Path, run: &str) -> Option<FileStamp> {
    let run = Folder::of_state(state)
        .ok()?
        .sub(RUNS)
        .ok()?
        .sub(run)
        .ok()?;
    stamp(&run, ".", LOG)
}

/// The version of a plain file in a folder in this one.
fn stamp(folder: &Folder, sub: &str, file: &str) -> Option<FileStamp> {
    let path = format!("{sub}/{file}");
    let about = statat(&folder.dir, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        return None;
    }
    let nanoseconds = i64::try_from(about.st_mtime_nsec).ok()?;
    Some(FileStamp {
        inode: about.st_ino,
        length: u64::try_from(about.st_size).ok()?,
        changed_ns: about
            .st_mtime
            .saturating_mul(1_000_000_000)
            .saturating_add(nanoseconds),
    })
}
