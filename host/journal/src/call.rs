//! Calls, and how the part of the guest ended.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wreimage_capability::{Effect, Fault};

/// A wait or a pause has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timer {
    /// Number of the call.
    pub call: u64,
    /// Such as `remote.wait-for-boot`.
    pub function: String,
    /// Who waits.
    pub origin: Origin,
    /// Arguments by name.
    pub arguments: Value,
    /// When it is over, in milliseconds since 1970 by the clock of the run.
    pub due_ms: u64,
}

/// How the guest's part ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", content = "what", rename_all = "kebab-case")]
pub enum GuestEnd {
    /// It returned this outcome.
    Returned(Value),
    /// It returned a fault.
    Faulted(Fault),
    /// It died.
    Trapped(String),
    /// The host stopped it: a word that says for what kind of reason, and the reason.
    Stopped(String, String),
    /// It was cancelled.
    Cancelled,
}

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The guest.
    Guest,
    /// The host, for a check of its own.
    Host,
    /// The host, taking something back.
    Undo,
}

/// A mutation that is about to be tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Number of the call.
    pub call: u64,
    /// Such as `ipmi.set-power`.
    pub function: String,
    /// Its effect class.
    pub effect: Effect,
    /// Who makes it.
    pub origin: Origin,
    /// The component that makes it, when it is one that is plugged into the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Arguments by name.
    pub arguments: Value,
    /// What the world looked like before, for a `once` call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Value>,
}

/// How much an answer can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reality {
    /// It comes from the real system, or from the lab that the run is made in.
    Real,
    /// It comes from the twin of a rehearsal.
    Assumed,
    /// The twin could not know.
    NotPreviewed,
}

impl Reality {
    fn is_real(&self) -> bool {
        *self == Reality::Real
    }
}

fn real() -> Reality {
    Reality::Real
}

/// A call that was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Number of the call.
    pub call: u64,
    /// Such as `ipmi.set-power`.
    pub function: String,
    /// Its effect class.
    pub effect: Effect,
    /// Who made it.
    pub origin: Origin,
    /// The component that made it, when it is one that is plugged into the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Arguments by name.
    pub arguments: Value,
    /// The value or the fault.
    pub result: Result<Value, Fault>,
    /// How far to trust it.
    #[serde(default = "real", skip_serializing_if = "Reality::is_real")]
    pub reality: Reality,
    /// How long it took by the clock of the run, in milliseconds.
    pub took_ms: u64,
}
