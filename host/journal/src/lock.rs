//! Host locks: one run a host among the runs of one state folder, in a database that they share. What orders controllers is the
//! lease on the install server.
//!
//! A lock is taken before a run looks at anything, and kept until the run has ended for good: one that waits for an answer,
//! or whose process is gone, still holds its host, because the host is half-way. Each taking gives the lock a higher fencing
//! number; who has been overtaken finds another number there and stops.

use crate::folder::Folder;
use crate::log::LogError;
use crate::state_dir::refuse_network;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, TransactionBehavior, params};
use serde::Serialize;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the holder of a lock counts as alive without renewing it.
pub const ALIVE: Duration = Duration::from_secs(60);

/// How often a holder renews its lock.
pub const RENEWAL: Duration = Duration::from_secs(15);

/// The database, in the state folder.
const LOCKS: &str = "locks.db";

const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS lock (
    name TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    actor TEXT NOT NULL,
    controller TEXT NOT NULL,
    process INTEGER NOT NULL,
    process_began TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    renewed_ms INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    held INTEGER NOT NULL
) STRICT;
";

/// Who takes a lock.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Id of the run.
    pub run: String,
    /// Who started it, or goes on with it.
    pub actor: String,
    /// The machine on which its process runs.
    pub controller: String,
}

/// How a holder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pulse {
    /// It has renewed its lock in time.
    Alive,
    /// Its process is there, and has not renewed its lock in time; or it is on another machine, and nobody can tell.
    Slow,
    /// Its process is gone.
    Dead,
}

impl fmt::Display for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pulse::Alive => "alive",
            Pulse::Slow => "slow",
            Pulse::Dead => "dead",
        })
    }
}

/// A lock that somebody holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// What is locked, such as `dc1/host1001`.
    pub name: String,
    /// Id of the run that holds it.
    pub run: String,
    /// Who started that run, or went on with it last.
    pub actor: String,
    /// The machine on which its process runs, or ran.
    pub controller: String,
    /// Id of its process there.
    pub process: u32,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// When it was renewed last.
    pub renewed_ms: u64,
    /// Raised with every taking.
    pub fence: u64,
    /// How the holder is.
    pub pulse: Pulse,
}

/// A lock that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("{}", taken(.0))]
    Taken(Box<Held>),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] LogError),
}

fn taken(held: &Held) -> String {
    let seconds = now_ms().saturating_sub(held.renewed_ms) / 1000;
    let advice = match held.pulse {
        Pulse::Alive => "wait for its end, or cancel it there".to_owned(),
        Pulse::Slow => format!(
            "it was last heard of {seconds} s ago: look at it there before you `wreimage lock break {}`",
            held.name
        ),
        Pulse::Dead => format!(
            "its process is gone: go on with it (`wreimage resume {0}`) or end it (`wreimage cleanup {0}`)",
            held.run
        ),
    };
    format!(
        "{} is held by the run {} of {} on {}: {advice}. Nothing was touched",
        held.name, held.run, held.actor, held.controller
    )
}

/// The locks of a state directory.
pub struct Locks {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Locks {
    /// Opens them.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub fn open(state: &Path) -> Result<Self, LogError> {
        let path = state.join(LOCKS);
        let at = |source| LogError {
            path: path.clone(),
            source,
        };
        let folder = Folder::make_state(state).map_err(at)?;
        refuse_network(state).map_err(at)?;
        match folder.create_new(LOCKS) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(error)),
            _ => {}
        }
        let connection = folder
            .database(LOCKS, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .and_then(|connection| {
                connection.busy_timeout(BUSY)?;
                connection.execute_batch(SCHEMA)?;
                Ok(connection)
            })
            .map_err(|error| at(io::Error::other(error)))?;
        Ok(Locks {
            path: path.clone(),
            connection: Mutex::new(connection),
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, error: rusqlite::Error) -> LogError {
        LogError {
            path: self.path.clone(),
            source: io::Error::other(error),
        }
    }

    /// Takes a lock; the run that holds it takes it anew. Returns its fencing number.
    ///
    /// # Errors
    /// When another run holds it, dead or alive.
    pub fn take(&self, name: &str, holder: &Holder) -> Result<u64, LockError> {
        let mut connection = self.connection();
        let taking = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| self.error(error))?;
        let there = taking
            .query_row(
                "SELECT * FROM lock WHERE name = ?1",
                params![name],
                read_row,
            )
            .optional()
            .map_err(|error| self.error(error))?;
        let now = now_ms();
        let (fence, since) = match there {
            Some((held, true)) if held.run != holder.run => {
                return Err(LockError::Taken(Box::new(held)));
            }
            // The same run has held it all the time.
            Some((held, true)) => (held.fence + 1, held.since_ms),
            Some((held, false)) => (held.fence + 1, now),
            None => (1, now),
        };
        let own = std::process::id();
        taking
            .execute(
                "INSERT OR REPLACE INTO lock VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1)",
                params![
                    name,
                    holder.run,
                    holder.actor,
                    holder.controller,
                    own,
                    began(own).unwrap_or_default(),
                    since.cast_signed(),
                    now.cast_signed(),
                    fence.cast_signed()
                ],
            )
            .and_then(|_| taking.commit())
            .map_err(|error| self.error(error))?;
        Ok(fence)
    }

    /// Renews a lock. False when it is not held with this number any more.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub fn renew(&self, name: &str, fence: u64) -> Result<bool, LogError> {
        self.connection()
            .execute(
                "UPDATE lock SET renewed_ms = ?3 WHERE name = ?1 AND fence = ?2 AND held = 1",
                params![name, fence.cast_signed(), now_ms().cast_signed()],
            )
            .map(|changed| changed == 1)
            .map_err(|error| self.error(error))
    }

    /// Whether a lock is held with this number.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub fn holds(&self, name: &str, fence: u64) -> Result<bool, LogError> {
        self.connection()
            .query_row(
                "SELECT count(*) FROM lock WHERE name = ?1 AND fence = ?2 AND held = 1",
                params![name, fence.cast_signed()],
                |row| row.get::<_, i64>(0),
            )
            .map(|count| count == 1)
            .map_err(|error| self.error(error))
    }

    /// Gives a lock back. Its number is remembered: who takes it next has a higher one.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub fn release(&self, name: &str, fence: u64) -> Result<(), LogError> {
        self.connection()
            .execute(
                "UPDATE lock SET held = 0 WHERE name = ?1 AND fence = ?2",
                params![name, fence.cast_signed()],
            )
            .map(|_| ())
            .map_err(|error| self.error(error))
    }

    /// Gives back whatever a run holds: it is over, and nobody drives it any more.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub fn release_all_of(&self, run: &str) -> Result<(), LogError> {
        self.connection()
            .execute("UPDATE lock SET held = 0 WHERE run = ?1", params![run])
            .map(|_| ())
            .map_err(|error| self.error(error))
    }

    /// Takes a lock away from the run that was seen to hold it; false when that run does not hold it any more.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub fn break_lock(&self, held: &Held) -> Result<bool, LogError> {
        let broken = self
            .connection()
            .execute(
                "UPDATE lock SET held = 0, fence = fence + 1 WHERE name = ?1 AND fence = ?2 AND held = 1",
                params![held.name, held.fence.cast_signed()],
            )
            .map_err(|error| self.error(error))?;
        Ok(broken == 1)
    }

    /// Every lock that is held.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub fn held(&self) -> Result<Vec<Held>, LogError> {
        let connection = self.connection();
        let rows = (|| {
            connection
                .prepare("SELECT * FROM lock WHERE held = 1 ORDER BY name")?
                .query_map([], read_row)?
                .collect::<rusqlite::Result<Vec<_>>>()
        })();
        rows.map(|rows| rows.into_iter().map(|(held, _)| held).collect())
            .map_err(|error| self.error(error))
    }
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<(Held, bool)> {
    let number = |name: &str| row.get::<_, i64>(name).map(i64::cast_unsigned);
    let (controller, process): (String, u32) = (row.get("controller")?, row.get("process")?);
    let renewed_ms = number("renewed_ms")?;
    let told: String = row.get("process_began")?;
    let held = Held {
        name: row.get("name")?,
        run: row.get("run")?,
        actor: row.get("actor")?,
        pulse: pulse(&controller, process, &told, renewed_ms),
        controller,
        process,
        since_ms: number("since_ms")?,
        renewed_ms,
        fence: number("fence")?,
    };
    Ok((held, row.get("held")?))
}

/// A dead holder is told from a slow one where its process can be looked for.
fn pulse(controller: &str, process: u32, told: &str, renewed_ms: u64) -> Pulse {
    let here = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if controller == here.trim() && began(process).as_deref() != Some(told) {
        return Pulse::Dead;
    }
    let silent = now_ms().saturating_sub(renewed_ms);
    if u128::from(silent) > ALIVE.as_millis() {
        Pulse::Slow
    } else {
        Pulse::Alive
    }
}

/// In which boot and when in it a process began: together they name it for ever. `None` when there is none, or when it is dead
/// and only its parent has not asked how it ended.
pub fn began(process: u32) -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in brackets, may hold anything; field 3 is the first behind it, field 22 the 20th (proc(5)).
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X");
    if is_dead {
        return None;
    }
    let ticks = fields.nth(18)?;
    Some(format!("{} {ticks}", boot.trim()))
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
