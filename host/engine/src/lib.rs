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

mod cancel;
mod check;
mod check_reads;
mod closing;
mod comparison;
mod compile;
mod consent;
mod course;
mod describe;
mod difference;
mod engine;
mod first_boot;
mod follow_ups;
mod gate;
#[cfg(test)]
mod gate_tests;
mod grants;
mod guest;
mod guest_error;
mod host_key;
mod identity;
mod imports;
mod judge;
mod learn;
mod lease;
mod limits;
mod measure;
mod notes;
mod once;
mod operator;
mod options;
mod part;
mod past;
mod perform;
mod permission;
mod pooled;
mod recorder;
mod redact;
mod report;
mod request;
mod restarts;
mod resume;
mod run;
mod services;
mod snapshot;
mod state;
mod stop;
mod trap;
mod trial;
mod twin;
mod undo;
mod wait;
mod wasi;
mod wrap;
mod written;

pub use cancel::Cancel;
pub use compile::{CompileLimits, Compiler, compile_for_parent};
pub use consent::{Consent, ConsentComponent, ConsentRequest, GivenConsent};
pub use engine::Engine;
pub use first_boot::{RecordedKey, RecordedKeys, accepted_key};

pub use grants::{Absent, Grants};
pub use guest::{Guest, Plugged};
pub use guest_error::GuestError;
pub use imports::{Import, ImportError};
pub use lease::{BootTime, Leasing, Renewer, random_token};
pub use limits::Limits;
pub use operator::{Given, LATER, Nobody, Operator};
pub use options::{OptionError, OptionValues};
pub use perform::{call_deadline, overdue};
pub use redact::Redactor;
pub use report::{Mutation, PastStep, Reminder, Report};
pub use request::{RunError, RunRequest};
pub use resume::{ResumeError, endable, guest_digest, resumable};
pub use run::{Going, cleanup, resume, run};
pub use services::{Companion, Fence, Listener, Observer, Services, WaitPolicy};
pub use stop::Stop;
pub use twin::{Seen, Twin, TwinMaker};
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
