//! Loads, inspects, grants, links, limits and runs guests. Every call of a guest passes one gate, where it is granted,
//! rehearsed, consented to, recorded, bounded and, at the end of the run, taken back. The engine knows capabilities by
//! their effect tables and no provider.
//!
//! ```no_run
//! # async fn example(providers: wreimage_capability::Providers) -> Result<(), Box<dyn std::error::Error>> {
//! use wreimage_engine::{Engine, Guest, RunRequest, Services};
//!
//! let engine = Engine::new(None)?;
//! let guest = Guest::load(&engine, &std::fs::read("reimage.wasm")?).await?;
//! let request = RunRequest::new("host1001", "lab1");
//! let report = wreimage_engine::run(&engine, &guest, request, Services::new(providers)).await?;
//! println!("{}", report.ending.summary);
//! # Ok(())
//! # }
//! ```

mod gate;
#[cfg(test)]
mod gate_tests;
mod guest;
mod identity;
mod lease;
mod ledger;
mod record;
mod replay;
mod run;
mod undo;
mod wasi;

pub use guest::compile::compile_for_parent;
pub use guest::compiler::{CompileLimits, Compiler};
pub use guest::effects::ChangedEffect;
pub use guest::engine::Engine;
pub use ledger::boots::{RecordedKey, RecordedKeys, accepted_key};
pub use run::cancel::Cancel;
pub use run::consent::{Consent, ConsentComponent, ConsentRequest, GivenConsent};

pub use gate::perform::{call_deadline, overdue};
pub use gate::twin::{Seen, Twin, TwinMaker};
pub use guest::error::GuestError;
pub use guest::grants::{Absent, Grants};
pub use guest::imports::{Import, ImportError};
pub use guest::limits::Limits;
pub use guest::load::{Guest, Plugged};
pub use guest::options::{OptionError, OptionValues};
pub use lease::{BootTime, Leasing, Renewer, random_token};
pub use record::recorder::Listener;
pub use record::redact::Redactor;
pub use replay::resume::{ResumeError, endable, guest_digest, resumable};
pub use run::drive::{Going, cleanup, resume, run};
pub use run::operator::{Given, LATER, Nobody, Operator};
pub use run::report::{Mutation, PastStep, Reminder, Report};
pub use run::request::{RunError, RunRequest};
pub use run::services::{Companion, Fence, Observer, Services, SiteWaits};
pub use run::stop::Stop;
pub use wreimage_capability::Caller;
pub use wreimage_capability::guest::{Description, OptionKind, OptionSpec};
pub use wreimage_composition::{ComposeError, Plug, is_plug};
