//! The journal of a run: what happened, in order, append-only. It is the audit log, the progress feed, the report's source
//! and the input of resume at once.

mod answers;
mod call;
mod checked;
mod database;
mod driver;
mod ending;
mod folder;
mod header;
mod lock;
mod log;
mod mark_file;
mod note;
mod open_error;
mod reading;
mod record;
mod size;
mod stamp;
mod state_dir;
#[cfg(test)]
mod sync_tests;

pub use answers::{leave_answer, leave_cancel};
pub use call::{GuestEnd, Intent, Origin, Outcome, Reality, Timer};
pub use checked::{AcceptedBoot, Checked, KnownBy, Reported, ReportedKey};
pub use database::{Reopened, RunDatabase};
pub use driver::{Process, driver, last_driver};
pub use ending::{Ending, RunOutcome, UnknownOutcome};
pub use folder::Folder;
pub use header::{Header, LeaseRequested, Mode, OnFailure, Plugged, RecordedEffects};
pub use lock::{ALIVE, Held, Holder, LockError, Locks, Pulse, RENEWAL, began as process_began};
pub use log::{Log, LogError, MemoryLog, digest};
pub use note::{Answered, Level, Question, UndoClosed, UndoState};
pub use open_error::OpenError;
pub use reading::{header, read, runs};
pub use record::{Entry, FORMAT, Record};
pub use size::size;
pub use stamp::{FileStamp, StampedRun, log_stamp, stamped_run, stamped_runs};
pub use state_dir::{refuse_volatile, state_directory};
