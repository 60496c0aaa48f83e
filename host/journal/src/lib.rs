//! The journal of a run: what happened, in order, append-only. It is the audit log, the progress feed, the report's source
//! and the input of resume at once.

mod database;
mod lock;
mod log;
mod record;
mod state_dir;

pub use database::{OpenError, RunDatabase, driver, leave_answer, leave_cancel, read};
pub use lock::{Held, Holder, LEASE, LockError, Locks, Pulse, RENEWAL, began as process_began};
pub use log::{Log, LogError, MemoryLog, digest};
pub use record::{
    Answered, Ending, Entry, FORMAT, GuestEnd, Header, Intent, Level, Mode, OnFailure, Origin,
    Outcome, Plugged, Question, Reality, Record, Timer, UndoClosed, UndoState,
};
pub use state_dir::{make_shared_folder, share_as, state_directory};
