//! `wreimage logs`.

use crate::arguments::{Logs, Output};
use crate::exit::{Exit, Failure};
use crate::face::words;
use crate::look;
use crate::surroundings::state_of;
use crate::tell::plain;
use serde_json::json;
use std::fmt::Write;
use std::time::Duration;
use wreimage_journal::Record;

/// How often a run that goes on is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// `wreimage logs`.
pub async fn logs(arguments: &Logs) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let run = look::find(&state, &arguments.run)?;
    let mut told = 0;
    loop {
        let entries = wreimage_journal::read(&state, &run).map_err(look::unreadable)?;
        let mut text = String::new();
        for entry in entries.iter().skip(told) {
            match arguments.output {
                Output::Json => {
                    let _ = writeln!(text, "{}", json!(entry));
                }
                Output::Text => {
                    for line in words::lines(entry) {
                        let time = entry.time.strftime("%Y-%m-%d %H:%M:%S");
                        let _ = writeln!(text, "{time} {line}");
                    }
                }
            }
        }
        crate::print(&plain(&text))?;
        told = entries.len();
        let ended = matches!(
            entries.last().map(|entry| &entry.record),
            Some(Record::Finished(_))
        );
        if ended || !arguments.follow {
            return Ok(Exit::Success);
        }
        tokio::time::sleep(LOOK).await;
    }
}
