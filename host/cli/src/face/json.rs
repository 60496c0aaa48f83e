//! One event per line on stdout: the events that the record of the run holds.

use super::Face;
use std::io::Write;
use wreimage_journal::Entry;

pub struct Json;

impl Face for Json {
    fn entry(&self, entry: &Entry) {
        if let Ok(mut line) = serde_json::to_vec(entry) {
            line.push(b'\n');
            // A reader that went away does not stop a reimage; the record is in its file.
            let _ = std::io::stdout().lock().write_all(&line);
        }
    }

    fn line(&self, text: &str) {
        crate::tell::line(text);
    }

    fn pause(&self) {}

    fn resume(&self) {}

    fn finish(&self) {}
}
