//! The record of a run: what happened, in order, append-only. It is the audit log, the progress feed and the report's
//! source at once.

mod log;
mod record;
mod state_dir;

pub use log::{Log, LogError, MemoryLog, Records, RunDirectory};
pub use record::{
    Answered, Ending, Entry, FORMAT, Header, Intent, Level, Origin, Outcome, Question, Reality,
    Record, UndoClosed, UndoState,
};
pub use state_dir::state_directory;
