//! One try of a call by its provider, under a deadline.

use crate::gate::course::Course;
use serde_json::Value;
use std::time::{Duration, Instant};
use wreimage_capability::{Answer, Call, Dispatch, Fault, Function, Polled};

/// How long a provider may take for one call, besides what the arguments ask for. Longer than any provider's own bound,
/// so that the provider's more precise fault comes first.
const CALL_DEADLINE: Duration = Duration::from_secs(300);

impl Course {
    /// One try, under a deadline.
    pub(crate) async fn perform(
        &self,
        provider: &dyn Dispatch,
        function: &'static Function,
        arguments: &Value,
        call: &Call,
    ) -> Result<Value, Fault> {
        match self.look(provider, function, arguments, call).await? {
            Polled::Ready(outcome) => Ok(outcome),
            Polled::Pending { why, .. } => Err(Fault::other(
                "gate.pending",
                "wreimage",
                format!("the provider of {function} did not answer but said `{why}`"),
            )),
        }
    }

    pub(crate) async fn look(
        &self,
        provider: &dyn Dispatch,
        function: &'static Function,
        arguments: &Value,
        call: &Call,
    ) -> Result<Answer, Fault> {
        let deadline = deadline_of(call, arguments);
        match tokio::time::timeout(deadline, provider.perform(call, function, arguments)).await {
            Ok(answer) => answer,
            Err(_) if deadline < call_deadline(arguments) => Err(Fault::timeout(
                "gate.lease-ran-out",
                format!("{} of {}", function.capability, self.host),
                format!(
                    "{function} did not end within {} s, for which the lease on {} was valid",
                    deadline.as_secs(),
                    self.host
                ),
            )),
            Err(_) => Err(overdue(function, arguments, &self.host)),
        }
    }
}

/// How long a provider may take for one call with these arguments, before the gate answers for it.
pub fn call_deadline(arguments: &Value) -> Duration {
    CALL_DEADLINE.saturating_add(asked_time(arguments))
}

/// The same for one call, which is not to act after the claim on the host has run out. What asks for a time of its own runs
/// as a unit on the machine, and needs only to begin while the claim is valid.
fn deadline_of(call: &Call, arguments: &Value) -> Duration {
    let whole = call_deadline(arguments);
    match call.valid_until {
        Some(until) if asked_time(arguments).is_zero() => {
            whole.min(until.saturating_duration_since(Instant::now()))
        }
        _ => whole,
    }
}

/// What the gate answers for a provider that has taken longer than [`call_deadline`].
pub fn overdue(function: &Function, arguments: &Value, host: &str) -> Fault {
    Fault::timeout(
        "gate.deadline",
        format!("{} of {host}", function.capability),
        format!(
            "{function} did not end within {} s",
            call_deadline(arguments).as_secs()
        ),
    )
}

/// The time that the arguments themselves ask for, such as a command's timeout.
fn asked_time(arguments: &Value) -> Duration {
    arguments
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| value.get("timeout_ms")?.as_u64())
        .map(Duration::from_millis)
        .max()
        .unwrap_or_default()
}
