//! `wreimage logs`.

use crate::arguments::Output;
use crate::arguments::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print::{self, Page};
use crate::output::{Event, words};
use crate::setup::backend::state_of;
use clap::Args;
use serde_json::json;
use std::time::Duration;
use wreimage_journal::Record;
use wreimage_runs::RunStore;

/// `wreimage logs`.
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// The run's id, or a part that only one run has
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Go on until the run ends
    #[arg(short, long)]
    pub follow: bool,
    #[command(flatten)]
    pub place: Place,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

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
        print::page(&text)?;
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
