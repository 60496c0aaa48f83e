//! The events of a run as JSON.

use crate::exit::Exit;
use serde::Serialize;
use wreimage_journal::{Ending, Entry, Record};

/// A record as an event: the last one has the exit code of the program, which no journal knows.
#[derive(Serialize)]
pub struct Event<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
}

impl<'a> Event<'a> {
    /// The event of a record.
    pub fn of(entry: &'a Entry) -> Self {
        let exit_code = match &entry.record {
            Record::Finished(ending) => Some(exit_code(ending)),
            _ => None,
        };
        Event { entry, exit_code }
    }
}

/// How a run ended, with the exit code of the program.
#[derive(Serialize)]
pub struct EndingEvent<'a> {
    #[serde(flatten)]
    ending: &'a Ending,
    exit_code: u8,
}

impl<'a> EndingEvent<'a> {
    /// The event of an ending.
    pub fn of(ending: &'a Ending) -> Self {
        EndingEvent {
            ending,
            exit_code: exit_code(ending),
        }
    }
}

/// The exit code that an event reports: `--strict` is the choice of one command, and does not change what happened.
pub fn exit_code(ending: &Ending) -> u8 {
    Exit::of_run(ending, false).code()
}
