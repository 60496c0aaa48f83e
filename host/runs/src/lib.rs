//! The runs of this machine: their store, what keeps them from each other's hosts, and the path on which a run begins, is
//! resumed and is cleaned up.
//!
//! [`RunStore`] lists and reads runs. A [`Launcher`] begins, resumes and cleans them up in an [`Environment`]: an engine, a
//! [`Backend`] with the systems that they work on, a store, and a [`Frontend`] that shows them and answers for the operator.
//! [`BatchRunner`] does that on many hosts. Nothing here prints, reads a terminal or ends the process.

mod active_runs;
mod backend;
mod batch;
mod batch_runner;
mod bound_backend;
mod consent_turn;
mod detached;
mod drive;
mod environment;
mod error;
mod frontend;
mod guest_identity;
mod host_lock;
mod hosts;
mod index;
mod lab_lease;
mod lab_twin;
mod launch_settings;
mod launch_stage;
mod launcher;
mod new_request;
mod notification;
mod opened_run;
mod pinned_guest;
mod recorded_keys;
mod recorded_site;
mod renewal;
mod retention;
mod run_id;
mod run_result;
mod site_lease;
mod standing;
mod store;
mod text;
mod turns;
mod world_file;

pub use active_runs::{ActiveRun, ActiveRuns};
pub use backend::Backend;
pub use batch::Batch;
pub use batch_runner::{BatchRunner, open_tasks};
pub use bound_backend::{BoundBackend, RunTarget};
pub use detached::DetachedLog;
pub use environment::Environment;
pub use error::{ErrorKind, RunsError};
pub use frontend::{Attendance, AttendedRun, Confirmed, Frontend, RunSource};
pub use guest_identity::{ComponentIdentity, GuestIdentity};
pub use host_lock::HostLock;
pub use hosts::Hosts;
pub use lab_lease::lab_leasing;
pub use lab_twin::LabTwin;
pub use launch_settings::{LaunchSettings, Questions};
pub use launch_stage::LaunchStage;
pub use launcher::Launcher;
pub use new_request::TASK;
pub use notification::notify_lost;
pub use opened_run::OpenedRun;
pub use pinned_guest::load_pinned;
pub use recorded_site::{RecordedSite, SiteChange};
pub use renewal::PausedRuns;
pub use retention::forget;
pub use run_id::{host_of, started_at};
pub use run_result::{HostResult, HostTask, LoadedGuest, RunResult};
pub use site_lease::{SiteLease, controller_name};
pub use standing::{OpenQuestion, RunState, Standing, header_of, open_question};
pub use store::{ListedRun, RunOrigin, RunStore};
pub use text::short;
pub use turns::{Turn, Turns};
pub use world_file::read_world;
