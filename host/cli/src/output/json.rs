//! One event per line on stdout: the events that the record of the run holds.

use super::{Event, Face, Source};
use serde::Serialize;
use std::io::Write;
use wreimage_capability::harmless_json;
use wreimage_journal::Entry;

/// `many`: several runs share the output, and each event says whose it is.
pub struct Json {
    many: bool,
}

impl Json {
    pub fn new(many: bool) -> Self {
        Json { many }
    }
}

/// An event among those of other runs. A header says the run and the host by itself.
#[derive(Serialize)]
struct OneOfMany<'a> {
    of: &'a str,
    on: &'a str,
    #[serde(flatten)]
    event: Event<'a>,
}

impl Face for Json {
    fn entry(&self, from: &Source, entry: &Entry) {
        let line = if self.many {
            serde_json::to_string(&OneOfMany {
                of: &from.run,
                on: &from.host,
                event: Event::of(entry),
            })
        } else {
            serde_json::to_string(&Event::of(entry))
        };
        if let Ok(mut line) = line {
            line.push('\n');
            // A reader that went away does not stop a reimage; the record is in its file.
            let _ = std::io::stdout()
                .lock()
                .write_all(harmless_json(line).as_bytes());
        }
    }

    fn left_out(&self, records: u64) {
        let line = format!(
            "{}\n",
            serde_json::json!({ "event": "left-out", "records": records })
        );
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }

    fn line(&self, text: &str) {
        crate::output::print::line(text);
    }

    fn pause(&self) {}

    fn resume(&self) {}

    fn finish(&self) {}
}
