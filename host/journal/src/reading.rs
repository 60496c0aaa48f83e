//! Reading the records of a run back, each with its sum.

use crate::database::{APPLICATION_ID, BUSY, JOURNAL, RUNS, Sum, run_folder, sum};
use crate::folder::Folder;
use crate::header::Header;
use crate::open_error::OpenError;
use crate::record::{Entry, FORMAT, Record};
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::io;
use std::path::{Path, PathBuf};

/// The ids of all runs that have a journal, the oldest first: they begin with the time.
///
/// # Errors
/// When the folder of runs cannot be read; `NotFound` when there is none.
pub fn runs(state: &Path) -> io::Result<Vec<String>> {
    let runs = Folder::of_state(state)?.sub(RUNS)?;
    let mut ids = runs.names()?;
    ids.retain(|id| runs.sub(id).is_ok_and(|run| run.has_file(JOURNAL)));
    Ok(ids)
}

/// Every record of a run, whoever drives it.
///
/// # Errors
/// When there is none, or it cannot be read to its end.
pub fn read(state: &Path, run: &str) -> Result<Vec<Entry>, OpenError> {
    let (connection, path) = open(state, run)?;
    read_all(&connection, &path).map(|(entries, _)| entries)
}

/// The first record of a run, without a look at the others; `None` when there is none yet.
///
/// # Errors
/// When there is no such run, or its first record cannot be read.
pub fn header(state: &Path, run: &str) -> Result<Option<Header>, OpenError> {
    let (connection, path) = open(state, run)?;
    let entries = read_some(&connection, &path, "WHERE number = 1")?.0;
    Ok(entries.into_iter().find_map(|entry| match entry.record {
        Record::Header(header) => Some(*header),
        _ => None,
    }))
}

fn open(state: &Path, run: &str) -> Result<(Connection, PathBuf), OpenError> {
    let folder = run_folder(state, run)?;
    let path = folder.path().join(JOURNAL);
    let connection = folder
        .database(JOURNAL, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .or_else(|_| folder.database(JOURNAL, OpenFlags::SQLITE_OPEN_READ_ONLY))
        .map_err(|error| failed(&path, error))?;
    Ok((connection, path))
}

pub(crate) fn damaged(path: &Path, error: impl std::fmt::Display) -> OpenError {
    OpenError::Damaged {
        path: path.to_owned(),
        why: error.to_string(),
    }
}

/// What SQLite says of a journal: only what comes from the content of the file speaks against it.
pub(crate) fn failed(path: &Path, error: rusqlite::Error) -> OpenError {
    let is_content = matches!(
        error.sqlite_error_code(),
        // The last one is what SQLite says of a statement that does not fit the tables.
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
    );
    if is_content {
        return damaged(path, error);
    }
    OpenError::Unreadable {
        path: path.to_owned(),
        source: std::io::Error::other(error),
    }
}

pub(crate) fn read_all(
    connection: &Connection,
    path: &Path,
) -> Result<(Vec<Entry>, Sum), OpenError> {
    read_some(connection, path, "")
}

/// The records from the first on for which the condition holds.
fn read_some(
    connection: &Connection,
    path: &Path,
    condition: &str,
) -> Result<(Vec<Entry>, Sum), OpenError> {
    let broken = |error: rusqlite::Error| failed(path, error);
    connection.busy_timeout(BUSY).map_err(broken)?;
    let pragma = |name: &str| {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0))
            .map_err(broken)
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(damaged(path, "it is no journal of wreimage"));
    }
    let found = pragma("user_version")?;
    if u32::try_from(found) != Ok(FORMAT) {
        return Err(OpenError::Format {
            path: path.to_owned(),
            found,
        });
    }
    let mut statement = connection
        .prepare(&format!(
            "SELECT number, time_ms, body, sum FROM record {condition} ORDER BY number"
        ))
        .map_err(broken)?;
    let mut rows = statement.query([]).map_err(broken)?;
    let (mut entries, mut last) = (Vec::new(), Sum::default());
    while let Some(row) = rows.next().map_err(broken)? {
        let number: i64 = row.get(0).map_err(broken)?;
        let time: i64 = row.get(1).map_err(broken)?;
        let body: String = row.get(2).map_err(broken)?;
        let told: Vec<u8> = row.get(3).map_err(broken)?;
        let number = number.cast_unsigned();
        let due = entries.len() as u64 + 1;
        if number != due {
            return Err(damaged(path, format!("record {due} is missing")));
        }
        last = sum(last, number, time, &body);
        if told != last {
            return Err(damaged(
                path,
                format!("record {number} is not as it was written"),
            ));
        }
        let record: Record = serde_json::from_str(&body).map_err(|error| {
            damaged(path, format!("record {number} is not understood: {error}"))
        })?;
        let time = Timestamp::from_millisecond(time)
            .map_err(|error| damaged(path, format!("record {number}: {error}")))?;
        entries.push(Entry {
            number,
            time,
            record,
        });
    }
    Ok((entries, last))
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn only_what_the_file_holds_is_called_damage() {
        let of = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            failed(Path::new("journal.db"), error)
        };
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_ERROR] {
            assert!(matches!(of(code), OpenError::Damaged { .. }), "{code}");
        }
        for code in [
            ffi::SQLITE_BUSY,
            ffi::SQLITE_PERM,
            ffi::SQLITE_FULL,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_READONLY,
        ] {
            assert!(matches!(of(code), OpenError::Unreadable { .. }), "{code}");
        }
        let wrong = failed(
            Path::new("journal.db"),
            rusqlite::Error::InvalidColumnIndex(3),
        );
        assert!(matches!(wrong, OpenError::Damaged { .. }), "{wrong:?}");
    }
}
