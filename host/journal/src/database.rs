//! The journal of one run as an SQLite database: `runs/RUN/journal.db` in a state directory, with the blobs beside it.
//!
//! Write-ahead logging lets other processes read while the run goes on. A durable record is written with
//! `synchronous=FULL`: the log is flushed, and with it everything that was written before. Each record carries a sum over
//! itself and the sum before it, so that a record that was changed, lost or moved is noticed.

use crate::answers::forget_cancel;
use crate::driver::{NotDriver, lock_driver};
use crate::folder::Folder;
use crate::log::{Log, LogError, digest, mark_of};
use crate::mark_file::{self, MarkFile};
use crate::open_error::OpenError;
use crate::reading::{failed, read_all};
use crate::record::{Entry, FORMAT, Record};
use crate::state_dir::refuse_network;
use rusqlite::{Connection, OpenFlags, params};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wreimage_capability::lease::JournalMark;

/// `wrei` in ASCII, in the file's header: this is one of ours.
pub(crate) const APPLICATION_ID: i32 = 0x7772_6569;

/// How long a reader or writer waits for the other.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// How long the log of writes is made before the first flush, in bytes: more than a reimage writes. A flush of a file that
/// does not grow need not write down its new size as well, which takes as long as the flush itself.
const LOG_LENGTH: u64 = 512 << 10;

/// The folder of all runs, in the state folder.
pub(crate) const RUNS: &str = "runs";

/// The folder of what a run keeps by digest, in the folder of the run.
const BLOBS: &str = "blobs";

/// The file of a journal, in the folder of its run.
pub(crate) const JOURNAL: &str = "journal.db";

const SCHEMA: &str = "
CREATE TABLE record (
    number INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    body TEXT NOT NULL,
    sum BLOB NOT NULL
) STRICT;
CREATE TABLE answer (
    call INTEGER PRIMARY KEY,
    choice TEXT NOT NULL,
    actor TEXT NOT NULL
) STRICT;
";

pub(crate) type Sum = [u8; 8];

/// A journal that is open again, and what it holds.
pub struct Reopened {
    /// The journal.
    pub database: RunDatabase,
    /// Its records.
    pub entries: Vec<Entry>,
    /// Why its run must not be resumed: [`OpenError::Cut`] or [`OpenError::Unmarked`].
    pub cut: Option<OpenError>,
}

/// The journal of one run, open for its driver.
pub struct RunDatabase {
    folder: Folder,
    inner: Mutex<Inner>,
    /// Locked while this process drives the run; the system lets go of it when the process dies.
    _driver: File,
}

pub(crate) struct Inner {
    pub(crate) connection: Connection,
    last: Sum,
    /// Up to the last durable record.
    mark: JournalMark,
    /// The same, kept beside the database. `None` for a journal that was cut: its file stays as it was found, because a new
    /// mark would agree with what is left, and the next process would resume the run.
    marks: Option<MarkFile>,
    /// Whether each write is flushed: `synchronous=FULL`.
    flushes: bool,
    /// Whether the log has been made long.
    is_long: bool,
}

impl RunDatabase {
    /// Makes the journal of a new run in a state directory.
    ///
    /// # Errors
    /// When it cannot be made, a run of that id is there already, or the directory is on a network file system.
    pub fn create(state: &Path, run: &str) -> Result<Self, LogError> {
        let at = |source| LogError {
            path: state.join(RUNS).join(run),
            source,
        };
        let all = Folder::make_state(state).map_err(at)?;
        refuse_network(state).map_err(at)?;
        let runs = all.make_sub(RUNS).map_err(at)?;
        let folder = runs.make_new_sub(run).map_err(at)?;
        let begun = begin(&runs, &folder);
        if begun.is_err() {
            // Nothing of a run that did not begin is worth keeping.
            let _ = runs.remove_folder(run);
        }
        let (connection, driver, marks) = begun.map_err(at)?;
        Ok(RunDatabase {
            folder,
            inner: Mutex::new(Inner {
                connection,
                last: Sum::default(),
                mark: JournalMark::default(),
                marks: Some(marks),
                flushes: false,
                is_long: false,
            }),
            _driver: driver,
        })
    }

    /// Opens the journal of a run to resume it, and reads what it holds.
    ///
    /// # Errors
    /// When there is none, another process drives the run, it cannot be read to its end, or it was cut.
    pub fn resume(state: &Path, run: &str) -> Result<(Self, Vec<Entry>), OpenError> {
        let reopened = Self::reopen(state, run)?;
        match reopened.cut {
            // A run that a cleanup has ended is over, whatever was lost before.
            Some(cut) if !is_finished(&reopened.entries) => Err(cut),
            _ => Ok((reopened.database, reopened.entries)),
        }
    }

    /// Opens the journal of a run that may have been cut, to end the run.
    ///
    /// # Errors
    /// When there is none, another process drives the run, or it cannot be read to its end.
    pub fn reopen(state: &Path, run: &str) -> Result<Reopened, OpenError> {
        let folder = run_folder(state, run)?;
        let path = folder.path().join(JOURNAL);
        let unreadable = |source| OpenError::Unreadable {
            path: path.clone(),
            source,
        };
        refuse_network(state).map_err(unreadable)?;
        let driver = lock_driver(&folder).map_err(|why| match why {
            NotDriver::Driven(driver) => OpenError::Driven {
                run: run.to_owned(),
                driver,
            },
            NotDriver::Failed(source) => unreadable(source),
        })?;
        let connection = folder
            .database(JOURNAL, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(|error| failed(&path, error))?;
        let (entries, last) = read_all(&connection, &path)?;
        let length = entries.len() as u64;
        let (marks, mark) = open_marks(&folder).map_err(unreadable)?;
        let is_cut = match &mark {
            Some(mark) => {
                mark.length > length
                    || (mark.length > 0
                        && sum_at(&connection, mark.length)
                            .map_err(|error| failed(&path, error))?
                            != mark.sum)
            }
            None => true,
        };
        let cut = is_cut.then(|| match mark {
            Some(mark) => OpenError::Cut {
                path: path.clone(),
                run: run.to_owned(),
                found: length,
                recorded: mark.length,
            },
            None => OpenError::Unmarked {
                path: folder.path().join(mark_file::NAME),
                run: run.to_owned(),
            },
        });
        prepare(&connection).map_err(|error| failed(&path, error))?;
        forget_cancel(&connection).map_err(|error| failed(&path, error))?;
        let database = RunDatabase {
            folder,
            inner: Mutex::new(Inner {
                connection,
                last,
                // What could be read is what a crash has left.
                mark: mark_of(length, last),
                marks: marks.filter(|_| !is_cut),
                flushes: false,
                is_long: false,
            }),
            _driver: driver,
        };
        Ok(Reopened {
            database,
            entries,
            cut,
        })
    }

    /// The folder of the run.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn error(&self, source: rusqlite::Error) -> LogError {
        LogError {
            path: self.path().to_owned(),
            source: io::Error::other(source),
        }
    }
}

impl Drop for RunDatabase {
    fn drop(&mut self) {
        // One file is easier to copy than three. What cannot be moved into it now is moved by the next one who opens it.
        let _ =
            self.inner()
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

impl Log for RunDatabase {
    fn append(&self, entry: &Entry, durable: bool) -> Result<(), LogError> {
        let body = serde_json::to_string(&entry.record).map_err(|error| LogError {
            path: self.path().to_owned(),
            source: error.into(),
        })?;
        let time = entry.time.as_millisecond();
        let mut inner = self.inner();
        if durable && !inner.is_long {
            inner.is_long = true;
            // Without it, it works as well.
            let _ = lengthen(&self.folder);
        }
        let sum = sum(inner.last, entry.number, time, &body);
        let written = (|| {
            if durable != inner.flushes {
                let mode = if durable { "FULL" } else { "NORMAL" };
                inner.connection.pragma_update(None, "synchronous", mode)?;
                inner.flushes = durable;
            }
            let insert = |connection: &Connection| {
                connection
                    .prepare_cached("INSERT INTO record VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![entry.number.cast_signed(), time, body, sum])
            };
            let Record::Question(question) = &entry.record else {
                return insert(&inner.connection);
            };
            // An answer is to the question that was asked, not to the next one about the same call.
            let both = inner.connection.transaction()?;
            both.execute(
                "DELETE FROM answer WHERE call = ?1",
                params![question.call.cast_signed()],
            )?;
            insert(&both)?;
            both.commit().map(|()| 1)
        })();
        written.map_err(|error| self.error(error))?;
        inner.last = sum;
        if durable {
            let mark = mark_of(entry.number, sum);
            if let Some(marks) = &mut inner.marks {
                marks.write(&mark).map_err(|source| LogError {
                    path: self.path().join(mark_file::NAME),
                    source,
                })?;
            }
            inner.mark = mark;
        }
        Ok(())
    }

    fn mark(&self) -> JournalMark {
        self.inner().mark.clone()
    }

    fn keep(&self, bytes: &[u8]) -> Result<String, LogError> {
        let digest = digest(bytes);
        let kept = self.folder.make_sub(BLOBS).and_then(|blobs| {
            if blobs.has_file(&digest) {
                return Ok(());
            }
            blobs.keep(&digest, bytes)
        });
        kept.map_err(|source| LogError {
            path: self.path().join(BLOBS),
            source,
        })?;
        Ok(digest)
    }
}

/// The folder of a run that has a journal; an id that is no plain name is no run.
pub(crate) fn run_folder(state: &Path, run: &str) -> Result<Folder, OpenError> {
    let found = Folder::of_state(state)
        .and_then(|state| state.sub(RUNS))
        .and_then(|runs| {
            if run.starts_with('.') {
                return Err(io::ErrorKind::NotFound.into());
            }
            runs.sub(run)
        })
        .and_then(|folder| folder.check_file(JOURNAL).map(|()| folder));
    found.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => OpenError::NoRun {
            run: run.chars().take(100).collect(),
            state: state.to_owned(),
        },
        _ => OpenError::Unreadable {
            path: state.join(RUNS).join(run).join(JOURNAL),
            source,
        },
    })
}

/// Whether the run has come to its end.
fn is_finished(entries: &[Entry]) -> bool {
    let last = entries.last().map(|entry| &entry.record);
    matches!(last, Some(Record::Finished(_)))
}

/// Makes an empty journal in the folder of a new run, and its driver of this process.
fn begin(runs: &Folder, folder: &Folder) -> io::Result<(Connection, File, MarkFile)> {
    const NEW: &str = "journal.db.new";
    let driver = lock_driver(folder).map_err(|why| match why {
        NotDriver::Driven(driver) => io::Error::other(format!("it is driven by {driver}")),
        NotDriver::Failed(source) => source,
    })?;
    // Until the journal is whole it has another name: a process that dies here leaves no run that nobody could read.
    let file = folder.create_new(NEW)?;
    make_schema(folder, NEW).map_err(io::Error::other)?;
    file.sync_all()?;
    // To close a file ends all locks of the process on it: of this one it must not happen once SQLite has it open.
    drop(file);
    let marks = folder.create_new(mark_file::NAME)?;
    let mut marks_file = MarkFile::new(marks.try_clone()?);
    // Both slots: later writes need no room on the disk.
    marks_file.write(&JournalMark::default())?;
    marks_file.write(&JournalMark::default())?;
    // A run without its marks is not resumed.
    marks.sync_all()?;
    // Created here, its name survives by the flush that the journal needs anyway.
    folder.make_new_sub(BLOBS)?;
    folder.rename(NEW, JOURNAL)?;
    // The names of the new files must survive as well.
    folder.sync()?;
    runs.sync()?;
    let connection = folder
        .database(JOURNAL, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| {
            prepare(&connection)?;
            // The first look makes the file of the log, which is then made long.
            connection.query_row("SELECT count(*) FROM record", [], |_| Ok(()))?;
            Ok(connection)
        })
        .map_err(io::Error::other)?;
    Ok((connection, driver, marks_file))
}

/// The file of marks of a run and the mark in it. A file that is missing is not created, and a damaged one has no mark: neither
/// shows how far the journal reached.
fn open_marks(folder: &Folder) -> io::Result<(Option<MarkFile>, Option<JournalMark>)> {
    let mut file = match folder.open_to_change(mark_file::NAME) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, None)),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    Read::by_ref(&mut file)
        .take(mark_file::LONGEST)
        .read_to_end(&mut bytes)?;
    Ok((Some(MarkFile::new(file)), mark_file::read(&bytes)))
}

/// The sum that a record has in the database, in hexadecimal.
fn sum_at(connection: &Connection, number: u64) -> rusqlite::Result<String> {
    connection.query_row(
        "SELECT lower(hex(sum)) FROM record WHERE number = ?1",
        params![number.cast_signed()],
        |row| row.get(0),
    )
}

fn make_schema(folder: &Folder, name: &str) -> rusqlite::Result<()> {
    let connection = folder.database(name, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // A record is some hundred bytes: smaller pages leave less room unused, and less to flush.
    connection.pragma_update(None, "page_size", 1024)?;
    // It is flushed as a whole.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    connection.execute_batch(SCHEMA)?;
    // In the mode that it stays in: a later change of the mode would be flushed four times.
    write_ahead(&connection)
}

/// The answer is the mode; what is not `wal` then is a file system without shared memory.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode=WAL", [], |_| Ok(()))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    write_ahead(connection)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // Moving the log into the file flushes; that is done at the end, not in the middle of a read.
    connection.pragma_update(None, "wal_autocheckpoint", 0)
}

/// Fills a log up with zeros, which SQLite takes for its end: no frame of them has the right sum.
fn lengthen(folder: &Folder) -> io::Result<()> {
    let mut file = folder.append("journal.db-wal")?;
    let missing = LOG_LENGTH.saturating_sub(file.metadata()?.len());
    io::copy(&mut io::repeat(0).take(missing), &mut file)?;
    file.sync_all()
}

/// Over a record and the sum of the one before it.
pub(crate) fn sum(before: Sum, number: u64, time: i64, body: &str) -> Sum {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(number.to_le_bytes());
    hash.update(time.to_le_bytes());
    hash.update(body.as_bytes());
    let mut sum = Sum::default();
    sum.iter_mut()
        .zip(hash.finalize().iter())
        .for_each(|(to, from)| *to = *from);
    sum
}
