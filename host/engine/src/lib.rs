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

pub use guest::compile::{CompileLimits, Compiler, compile_for_parent};
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
pub use record::redact::Redactor;
pub use replay::resume::{ResumeError, endable, guest_digest, resumable};
pub use run::drive::{Going, cleanup, resume, run};
pub use run::operator::{Given, LATER, Nobody, Operator};
pub use run::report::{Mutation, PastStep, Reminder, Report};
pub use run::request::{RunError, RunRequest};
pub use run::services::{Companion, Fence, Listener, Observer, Services, WaitPolicy};
pub use run::stop::Stop;
pub use wreimage_capability::Caller;
pub use wreimage_capability::guest::{Description, OptionKind, OptionSpec};
pub use wreimage_composition::{ComposeError, Plug, is_plug};

/// SHA-256 of the effect tables of this host: a journal is read by them.
pub fn effects_digest() -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for function in wreimage_capability::ALL
        .iter()
        .flat_map(|capability| capability.functions)
    {
        let inverse = function.inverse.as_ref().map(|it| it.function);
        hash.update(format!(
            "{function} {:?} {inverse:?} {:?}\n",
            function.effect, function.doubt
        ));
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
