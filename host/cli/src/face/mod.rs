//! How a run shows itself.

mod apart;
mod json;
mod live;
mod plain;
mod report;
pub mod words;

use crate::arguments::Output;
use std::io::IsTerminal;
use std::sync::Arc;
use wreimage_journal::Entry;
use wreimage_lab::Pace;

pub use report::report;

/// Shows records as they are made.
pub trait Face: Send + Sync {
    /// A record has been made.
    fn entry(&self, entry: &Entry);
    /// A line for the person, besides the records.
    fn line(&self, text: &str);
    /// Leaves the bottom of the screen to a prompt. Nothing is locked meanwhile: records and signals go on.
    fn pause(&self);
    /// The prompt has been answered.
    fn resume(&self);
    /// Nothing more comes.
    fn finish(&self);
}

/// The face for this output: a live list on a terminal, lines elsewhere, events as JSON.
pub fn choose(output: Output, pace: Pace) -> Arc<dyn Face> {
    let face: Arc<dyn Face> = match output {
        Output::Json => Arc::new(json::Json),
        Output::Text if std::io::stderr().is_terminal() => Arc::new(live::Live::new(pace)),
        Output::Text => Arc::new(plain::Plain::default()),
    };
    Arc::new(apart::Apart::new(face))
}
