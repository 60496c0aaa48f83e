//! The runs of this machine: their store, what keeps them from each other's hosts, and the path on which a run begins, is
//! resumed and is cleaned up.
//!
//! Start with [`RunStore`] to list and read runs. Nothing here prints, reads a terminal or ends the process.

mod batch;
mod detached;
mod error;
mod host_lock;
mod hosts;
mod index;
mod launch_settings;
mod pinned_guest;
mod recorded_keys;
mod recorded_site;
mod retention;
mod run_id;
mod standing;
mod store;
mod text;
mod turns;

pub use batch::Batch;
pub use detached::DetachedLog;
pub use error::{ErrorKind, RunsError};
pub use host_lock::HostLock;
pub use hosts::Hosts;
pub use launch_settings::{LaunchSettings, Questions};
pub use pinned_guest::{load_pinned, pin_guest};
pub use recorded_keys::recorded_keys;
pub use recorded_site::RecordedSite;
pub use retention::forget;
pub use run_id::{host_of, started_at};
pub use standing::{OpenQuestion, RunState, Standing, header_of, open_question};
pub use store::{ListedRun, RunOrigin, RunStore};
pub use text::short;
pub use turns::{Turn, Turns};
