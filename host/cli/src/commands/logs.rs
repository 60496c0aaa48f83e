//! `wreimage logs`.

use crate::arguments::{Logs, Output};
use crate::exit::Exit;
use crate::face::{Event, words};
use crate::failure::Failure;
use crate::ground::state_of;
use crate::tell::{self, Page};
use serde_json::json;
use std::time::Duration;
use wreimage_journal::Record;
use wreimage_runs::RunStore;

/// How often a run that goes on is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// `wreimage logs`.
pub async fn logs(arguments: &Logs) -> Result<Exit, Failure> {
    let state = state_of(&arguments.place)?;
    let store = RunStore::new(&state);
    let run = store.find(&arguments.run)?;
    let mut told = 0;
    loop {
        let entries = store.read(&run)?;
        let mut text = Page::default();
        for entry in entries.iter().skip(told) {
            match arguments.output {
                Output::Json => {
                    text.json(&json!(Event::of(entry)));
                }
                Output::Text => {
                    for line in words::lines(entry) {
                        let time = entry.time.strftime("%Y-%m-%d %H:%M:%S");
                        text.line(format!("{time} {line}"));
                    }
                }
            }
        }
        tell::page(&text)?;
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
