//! Lines on stderr, for logs and pipes, and for several runs at once.

use super::{Face, Source, words};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use wreimage_journal::{Entry, Record};

/// `many`: several runs share the screen, and each line says whose it is.
pub struct Plain {
    many: bool,
    began: Mutex<HashMap<Arc<str>, Timestamp>>,
}

impl Plain {
    pub fn new(many: bool) -> Self {
        Plain {
            many,
            began: Mutex::default(),
        }
    }
}

impl Face for Plain {
    fn entry(&self, from: &Source, entry: &Entry) {
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *began.entry(from.run.clone()).or_insert(entry.time);
        drop(began);
        let elapsed = entry.time.duration_since(first);
        let elapsed = words::duration(u64::try_from(elapsed.as_millis()).unwrap_or(0));
        let mut lines = words::lines(entry);
        // The waits of many machines would bury what matters.
        if let (Record::Progress { text, .. }, false) = (&entry.record, self.many) {
            lines.push(format!("  .. {text}"));
        }
        for line in lines {
            if self.many {
                crate::output::print::line(&format!("{:<12} [{elapsed:>8}] {line}", from.host));
            } else {
                crate::output::print::line(&format!("[{elapsed:>8}] {line}"));
            }
        }
    }

    fn line(&self, text: &str) {
        crate::output::print::line(text);
    }

    fn pause(&self) {}

    fn resume(&self) {}

    fn finish(&self) {}
}
