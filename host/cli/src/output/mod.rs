//! How a run shows itself.

mod apart;
mod event;
pub mod fields;
mod json;
mod live;
mod plain;
pub mod print;
mod report;
pub mod trace;
pub mod words;

use crate::arguments::Output;
use std::io::IsTerminal;
use std::sync::Arc;
use wreimage_journal::Entry;
use wreimage_lab::Pace;

pub use event::{EndingEvent, Event, exit_code};
pub use report::report;
pub use wreimage_runs::RunSource as Source;

/// Shows records as they are made.
pub trait Face: Send + Sync {
    /// A record has been made.
    fn entry(&self, from: &Source, entry: &Entry);
    /// A line for the person, besides the records.
    fn line(&self, text: &str);
    /// So many records are not shown: the reader of the output was too slow.
    fn left_out(&self, records: u64) {
        self.line(&format!(
            "{records} records are not shown: the reader of this output is too slow; `wreimage logs RUN` prints them all"
        ));
    }
    /// Leaves the bottom of the screen to a prompt. Nothing is locked meanwhile: records and signals go on.
    fn pause(&self);
    /// The prompt has been answered.
    fn resume(&self);
    /// Nothing more comes.
    fn finish(&self);
}

/// The face for this output: a live list on a terminal, lines elsewhere and for several runs, events as JSON. `many` says
/// that there are several runs, so that each line must say whose it is.
pub fn choose(output: Output, pace: Pace, many: bool) -> Arc<dyn Face> {
    let face: Arc<dyn Face> = match output {
        Output::Json => Arc::new(json::Json::new(many)),
        Output::Text if !many && std::io::stderr().is_terminal() => Arc::new(live::Live::new(pace)),
        Output::Text => Arc::new(plain::Plain::new(many)),
    };
    Arc::new(apart::Apart::new(face))
}
