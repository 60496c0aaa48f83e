//! Plays a guest in the simulated data centre: a world, faults put into its calls, answers to its questions, and what must
//! hold at the end. The sweep plays one scenario with every fault that each of its calls can have, and checks what must
//! hold whatever goes wrong.
//!
//! A fault is put between the gate and the provider: the gate, the journal and the guest are those of a real run. A crash
//! drops the run where it stands and resumes it from its journal; the data centre lives on.

mod answers;
mod case;
mod change;
mod consents;
mod context;
mod disturbance;
mod error;
mod exit_code;
mod expect;
mod expression;
mod fault;
mod file;
mod find;
mod inject;
mod injected;
mod invariant;
mod journals;
mod kind;
mod meeting;
mod next_command;
mod one_run;
mod play;
mod rival;
mod scenario;
mod since;
mod snapshot;
mod stage_log;
mod sweep;
mod swept;
pub mod told;

pub use case::{Case, CaseFault};
pub use change::{Change, Moment};
pub use context::{End, RunFacts, Sent, StepFacts};
pub use error::{PlayError, ScenarioError};
pub use exit_code::exit_code;
pub use expect::{Expect, check};
pub use find::find;
pub use invariant::Invariants;
pub use kind::Kind;
pub use play::{Played, Subject, play};
pub use scenario::Scenario;
pub use snapshot::Snapshot;
pub use sweep::{cases, sweep_case};
pub use swept::Swept;
