//! Lines on stderr, for logs and pipes.

use super::{Face, words};
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};
use wreimage_journal::{Entry, Record};

#[derive(Default)]
pub struct Plain {
    began: Mutex<Option<Timestamp>>,
}

impl Face for Plain {
    fn entry(&self, entry: &Entry) {
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = entry.time.duration_since(*began.get_or_insert(entry.time));
        let elapsed = words::duration(u64::try_from(elapsed.as_millis()).unwrap_or(0));
        let mut lines = words::lines(entry);
        if let Record::Progress { text, .. } = &entry.record {
            lines.push(format!("  .. {text}"));
        }
        for line in lines {
            crate::tell::line(&format!("[{elapsed:>8}] {line}"));
        }
    }

    fn line(&self, text: &str) {
        crate::tell::line(text);
    }

    fn pause(&self) {}

    fn resume(&self) {}

    fn finish(&self) {}
}
