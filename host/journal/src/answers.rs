//! Answers, and the wish to cancel, that are left for the driver of a run by other processes.

use crate::database::{BUSY, JOURNAL, RunDatabase, run_folder};
use crate::log::LogError;
use crate::open_error::OpenError;
use rusqlite::{Connection, OpenFlags, params};
use std::io;
use std::path::Path;

/// Leaves an answer for the driver of a run, now or later: to the question that stands in this record, about this call. False
/// when another question has been asked since; then nothing is left.
///
/// # Errors
/// When the journal cannot be written.
pub fn leave_answer(
    state: &Path,
    run: &str,
    question: u64,
    call: u64,
    choice: &str,
    actor: &str,
) -> Result<bool, OpenError> {
    let folder = run_folder(state, run)?;
    let unreadable = |error: rusqlite::Error| OpenError::Unreadable {
        path: folder.path().join(JOURNAL),
        source: io::Error::other(error),
    };
    let connection = folder
        .database(JOURNAL, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(unreadable)?;
    connection.busy_timeout(BUSY).map_err(unreadable)?;
    connection
        .execute(
            // Each body begins with the kind of its record.
            "INSERT OR REPLACE INTO answer SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM record WHERE number > ?4 \
             AND substr(body, 1, 19) = '{\"event\":\"question\"')",
            params![
                call.cast_signed(),
                choice,
                actor,
                question.cast_signed()
            ],
        )
        .map(|left| left == 1)
        .map_err(unreadable)
}

/// The number of the call under which the wish to cancel is left: no call has it.
const CANCEL: u64 = 0;

/// Leaves the wish to cancel a run for its driver.
///
/// # Errors
/// When the journal cannot be written.
pub fn leave_cancel(state: &Path, run: &str, actor: &str) -> Result<(), OpenError> {
    // No question comes after the last record that there can be.
    let last = i64::MAX.cast_unsigned();
    leave_answer(state, run, last, CANCEL, "cancel", actor).map(drop)
}

/// Whoever goes on with a run does not want what was wished for before. A cancel that was seen stands in a record.
pub(crate) fn forget_cancel(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .execute(
            "DELETE FROM answer WHERE call = ?1",
            params![CANCEL.cast_signed()],
        )
        .map(drop)
}

impl RunDatabase {
    /// The answer that somebody has given to the question of this call, from another process, and who.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn given_answer(&self, call: u64) -> Result<Option<(String, String)>, LogError> {
        let inner = self.inner();
        inner
            .connection
            .query_row(
                "SELECT choice, actor FROM answer WHERE call = ?1",
                params![call.cast_signed()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map(Some)
            .or_else(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => Ok(None),
                other => Err(self.error(other)),
            })
    }

    /// Who wants the run to be cancelled, from another process, if anybody does.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn given_cancel(&self) -> Result<Option<String>, LogError> {
        Ok(self.given_answer(CANCEL)?.map(|(_, actor)| actor))
    }
}
