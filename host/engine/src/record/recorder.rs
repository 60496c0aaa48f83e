//! Numbers records, stamps them with the run's time, writes them down and tells the listener.

use crate::guest::limits::{Exceeded, Limits};
use crate::record::redact::Redaction;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use wreimage_capability::lease::JournalMark;
use wreimage_capability::{Clock, PinnedBoot, Sink};
use wreimage_journal::{Entry, Log, LogError, Record, size};

/// Is called with every record as it is made.
pub type Listener = Arc<dyn Fn(&Entry) + Send + Sync>;

/// The one way to the record of a run.
pub(crate) struct Recorder {
    log: Arc<dyn Log>,
    listener: Option<Listener>,
    clock: Mutex<Arc<dyn Clock>>,
    /// Why the record cannot be kept any more.
    broken: Mutex<Option<String>>,
    /// What must not stay is taken back, recorded or not.
    unrecorded: AtomicBool,
    /// Held while a record is numbered and written, so that the file has the order of the numbers.
    number: Mutex<u64>,
    calls: AtomicU64,
    /// Bytes of all records.
    bytes: AtomicU64,
    limits: Limits,
    redaction: Redaction,
}

impl Recorder {
    pub(crate) fn new(
        log: Arc<dyn Log>,
        listener: Option<Listener>,
        clock: Arc<dyn Clock>,
        redaction: Redaction,
    ) -> Self {
        Recorder {
            log,
            listener,
            clock: Mutex::new(clock),
            broken: Mutex::new(None),
            unrecorded: AtomicBool::new(false),
            number: Mutex::new(0),
            calls: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            limits: Limits::default(),
            redaction,
        }
    }

    /// The same within these limits.
    pub(crate) fn within(self, limits: Limits) -> Self {
        Recorder { limits, ..self }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.clock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_clock(&self, clock: Arc<dyn Clock>) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = clock;
    }

    /// So many bytes are recorded already.
    pub(crate) fn has_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::SeqCst);
    }

    /// Continues after so many records, and after this call.
    pub(crate) fn continue_after(&self, records: u64, last_call: Option<u64>) {
        *self.number.lock().unwrap_or_else(PoisonError::into_inner) = records;
        self.calls.store(last_call.unwrap_or(0), Ordering::SeqCst);
    }

    /// Whether the record has room for what a guest does next within these limits.
    pub(crate) fn check_room(&self, limits: &Limits) -> Result<(), Exceeded> {
        let records = *self.number.lock().unwrap_or_else(PoisonError::into_inner);
        limits.check_record(records, self.bytes.load(Ordering::SeqCst))
    }

    /// The number of the next call.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How far the record reaches on stable storage.
    pub(crate) fn mark(&self) -> JournalMark {
        self.log.mark()
    }

    pub(crate) fn record(&self, record: Record) -> Result<(), LogError> {
        self.write(record, false).map(drop)
    }

    /// Records so that neither this nor anything before it can be lost.
    pub(crate) fn record_durably(&self, record: Record) -> Result<(), LogError> {
        self.write(record, true).map(drop)
    }

    /// Records, durably or not, and returns the time that stands in the record.
    pub(crate) fn record_at(&self, record: Record, durable: bool) -> Result<Timestamp, LogError> {
        self.write(record, durable)
    }

    /// Leaves a warning for people. One that cannot be kept is no reason to stop.
    pub(crate) fn warn(&self, text: &str) {
        let _ = self.record(Record::Log {
            severity: "warn".to_owned(),
            text: self.redaction.text(text).into_owned(),
        });
    }

    /// From here on what cannot be recorded is only reported.
    pub(crate) fn continue_unrecorded(&self) {
        self.unrecorded.store(true, Ordering::SeqCst);
    }

    /// Whether what cannot be recorded is only reported.
    pub(crate) fn continues_unrecorded(&self) -> bool {
        self.unrecorded.load(Ordering::SeqCst)
    }

    /// Why the record is not complete, if it is not.
    pub(crate) fn broken(&self) -> Option<String> {
        self.broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn write(&self, record: Record, durable: bool) -> Result<Timestamp, LogError> {
        let mut number = self.number.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry {
            number: *number + 1,
            time: self.clock().now(),
            record,
        };
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        match broken.as_deref() {
            None => {
                if let Err(error) = self.log.append(&entry, durable) {
                    *broken = Some(error.to_string());
                    return Err(error);
                }
            }
            // Nothing is done that is not recorded, but for what must be taken back in any case.
            Some(why) if !self.unrecorded.load(Ordering::SeqCst) => {
                return Err(LogError {
                    path: PathBuf::new(),
                    source: std::io::Error::other(why.to_owned()),
                });
            }
            Some(_) => {}
        }
        drop(broken);
        *number = entry.number;
        self.bytes.fetch_add(size(&entry.record), Ordering::SeqCst);
        if let Some(listener) = &self.listener {
            listener(&entry);
        }
        Ok(entry.time)
    }
}

/// What a provider leaves besides the outcome of one call.
pub(crate) struct CallSink {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) call: u64,
    pub(crate) not_previewed: Mutex<Option<String>>,
    pub(crate) pinned: Mutex<Option<PinnedBoot>>,
}

impl CallSink {
    /// The first boot that the call saw at the installer identity.
    pub(crate) fn take_pinned(&self) -> Option<PinnedBoot> {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        pinned.take()
    }
}

impl Sink for CallSink {
    fn progress(&self, text: &str) {
        // The guest is ended at its next call; until then the record does not grow by what is only a hint.
        if self.recorder.check_room(&self.recorder.limits).is_err() {
            return;
        }
        let text = self.recorder.redaction.text(text);
        let text = cut(&text, self.recorder.limits.text);
        // A hint that cannot be kept is no reason to stop; the next record that matters will fail as well.
        let _ = self.recorder.record(Record::Progress {
            call: self.call,
            text: text.to_owned(),
        });
    }

    fn keep(&self, bytes: &[u8]) -> Option<String> {
        let clean = self.recorder.redaction.bytes(bytes);
        self.recorder.log.keep(&clean).ok()
    }

    fn not_previewed(&self, why: &str) {
        *self
            .not_previewed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) =
            Some(self.recorder.redaction.text(why).into_owned());
    }

    fn pin(&self, boot: PinnedBoot) {
        *self.pinned.lock().unwrap_or_else(PoisonError::into_inner) = Some(boot);
    }
}

/// The beginning of a text, so many bytes at most.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}
