//! The journal of a run on its stage: in memory, and with an event at one of its records.

use crate::inject::Stage;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use wreimage_capability::lease::JournalMark;
use wreimage_journal::{Entry, Log, LogError, MemoryLog, Origin, Record};

/// A record of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The record of this number.
    Number(u64),
    /// The record by which the wait of this call begins.
    Timer(u64),
    /// The outcome of this call of the guest.
    Outcome(u64),
    /// The first question that the guest puts to the operator; with a number, that of this call.
    Question(Option<u64>),
}

/// What happens at a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordDeed {
    /// The process dies before it is written.
    DieBefore,
    /// The process dies after it was written.
    DieAfter,
    /// The controller loses power after it was written; of what was not synced, the first half survives or nothing does.
    LosePower {
        /// Whether the first half survives.
        half: bool,
    },
    /// The operator cancels after it was written.
    Cancel,
    /// The run is paused after it was written.
    Pause,
}

/// An event at a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AtRecord {
    pub place: Place,
    pub deed: RecordDeed,
}

impl AtRecord {
    fn is_at(&self, entry: &Entry) -> bool {
        match (self.place, &entry.record) {
            (Place::Number(number), _) => entry.number == number,
            (Place::Timer(call), Record::Timer(timer)) => timer.call == call,
            (Place::Outcome(call), Record::Outcome(outcome)) => {
                outcome.call == call && outcome.origin == Origin::Guest
            }
            (Place::Question(call), Record::Question(question)) => {
                !question.consent && call.is_none_or(|call| question.call == call)
            }
            _ => false,
        }
    }
}

/// The death of the process that drives the run. Until the next process begins, nothing of the old one comes through.
#[derive(Debug, Default)]
pub(crate) struct Death {
    dead: AtomicBool,
    /// It is being stopped: it begins nothing more.
    stopping: AtomicBool,
    notify: Notify,
}

impl Death {
    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    /// The process begins nothing more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// The next process begins.
    pub(crate) fn revive(&self) {
        self.stopping.store(false, Ordering::SeqCst);
        self.dead.store(false, Ordering::SeqCst);
    }

    /// Does not end in a process that is dead or being stopped.
    pub(crate) async fn holds_up(&self) {
        if self.is_dead() || self.stopping.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    /// Ends when the process has died.
    pub(crate) async fn died(&self) {
        let notified = self.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.is_dead() {
            notified.await;
        }
    }
}

/// The records so far.
pub(crate) struct Journal {
    inner: Mutex<Inner>,
    at: Option<AtRecord>,
}

#[derive(Default)]
struct Inner {
    log: MemoryLog,
    /// Number of records.
    length: usize,
    /// Number of records that are on stable storage.
    synced: usize,
    /// The event has happened.
    happened: bool,
}

impl Journal {
    pub(crate) fn new(at: Option<AtRecord>) -> Self {
        Journal {
            inner: Mutex::default(),
            at,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.inner().log.entries()
    }

    /// Whether the event at a record has not happened, if there is one.
    pub(crate) fn is_unfired(&self) -> bool {
        self.at.is_some() && !self.inner().happened
    }

    fn lose_unsynced(inner: &mut Inner, half: bool) -> Result<(), LogError> {
        let mut entries = inner.log.entries();
        let unsynced = inner.length.saturating_sub(inner.synced);
        entries.truncate(inner.synced + if half { unsynced / 2 } else { 0 });
        inner.length = entries.len();
        inner.synced = entries.len();
        inner.log = MemoryLog::of(&entries)?;
        Ok(())
    }

    fn append(&self, stage: &Stage, entry: &Entry, durable: bool) -> Result<(), LogError> {
        let died = || LogError {
            path: PathBuf::new(),
            source: io::Error::other("the process has died"),
        };
        if stage.death.is_dead() {
            return Err(died());
        }
        let mut inner = self.inner();
        let deed = match self.at {
            Some(at) if !inner.happened && at.is_at(entry) => {
                inner.happened = true;
                Some(at.deed)
            }
            _ => None,
        };
        if deed == Some(RecordDeed::DieBefore) {
            stage.death.die();
            return Err(died());
        }
        inner.log.append(entry, durable)?;
        inner.length += 1;
        if durable {
            inner.synced = inner.length;
        }
        match deed {
            None | Some(RecordDeed::DieBefore) => Ok(()),
            Some(RecordDeed::Cancel) => {
                drop(inner);
                stage.state().cancel.cancel();
                Ok(())
            }
            Some(RecordDeed::Pause) => {
                drop(inner);
                stage.death.stop();
                stage.state().cancel.stop("the controller is shut down");
                Ok(())
            }
            Some(deed @ (RecordDeed::DieAfter | RecordDeed::LosePower { .. })) => {
                if let RecordDeed::LosePower { half } = deed {
                    Self::lose_unsynced(&mut inner, half)?;
                }
                stage.death.die();
                Err(died())
            }
        }
    }
}

impl Log for Stage {
    fn append(&self, entry: &Entry, durable: bool) -> Result<(), LogError> {
        self.journal.append(self, entry, durable)
    }

    fn mark(&self) -> JournalMark {
        self.journal.inner().log.mark()
    }

    fn keep(&self, bytes: &[u8]) -> Result<String, LogError> {
        self.journal.inner().log.keep(bytes)
    }
}
