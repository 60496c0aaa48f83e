//! One try of a call by its provider, under a deadline.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::replay::cursor::BegunCall;
use crate::run::stop::Stop;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument;
use wreimage_capability::{Answer, Call, Dispatch, Fault, Function, Polled};
use wreimage_journal::Origin;

/// How long a provider may take for one call, besides what the arguments ask for. Longer than any provider's own bound,
/// so that the provider's more precise fault comes first.
const CALL_DEADLINE: Duration = Duration::from_secs(300);

impl RunGate {
    /// Reads something. A host key that the read meets may become an accepted one; then it is tried once more.
    pub(crate) async fn read(
        self: &Arc<Self>,
        provider: &dyn Dispatch,
        context: CallContext<'_>,
        call: &mut Call,
    ) -> Result<Result<Value, Fault>, Stop> {
        match self
            .perform(provider, context.function, context.arguments, call)
            .await
        {
            Err(fault) if self.accept_reported_key(context, &fault, call).await? => Ok(self
                .perform(provider, context.function, context.arguments, call)
                .await),
            read => Ok(read),
        }
    }

    /// Makes a change that may be repeated: intent, lease, performance.
    pub(crate) async fn write(
        self: &Arc<Self>,
        provider: &dyn Dispatch,
        context: CallContext<'_>,
        call: &mut Call,
        begun: Option<BegunCall>,
    ) -> Result<Result<Value, Fault>, Stop> {
        let function = context.function;
        let since = begun.as_ref().and_then(|it| it.since);
        let was_begun = begun.is_some_and(|it| it.intent.is_some());
        let refused = if was_begun {
            let refused = self.may_repeat(context).await?;
            refused.map(|fault| self.not_repeated(function, fault, since))
        } else {
            self.cancelled_before(context)
        };
        if let Some(fault) = refused {
            return Ok(Err(fault));
        }
        self.give_checked(call);
        self.record_intent(context, call, None)?;
        if let Some(fault) = self.confirm_lease(context, call).await? {
            return Ok(Err(if was_begun {
                self.not_repeated(function, fault, since)
            } else {
                fault
            }));
        }
        Ok(match context.origin {
            Origin::Undo => self.reverse_one(provider, context, call).await,
            Origin::Guest | Origin::Host => {
                self.perform(provider, function, context.arguments, call)
                    .await
            }
        })
    }

    /// One try, under a deadline.
    pub(crate) async fn perform(
        &self,
        provider: &dyn Dispatch,
        function: &'static Function,
        arguments: &Value,
        call: &Call,
    ) -> Result<Value, Fault> {
        match self
            .call_provider(provider, function, arguments, call)
            .await?
        {
            Polled::Ready(outcome) => Ok(outcome),
            Polled::Pending { why, .. } => Err(Fault::other(
                "gate.pending",
                "wreimage",
                format!("the provider of {function} did not answer but said `{why}`"),
            )),
        }
    }

    /// One try, which a wait repeats.
    pub(crate) async fn call_provider(
        &self,
        provider: &dyn Dispatch,
        function: &'static Function,
        arguments: &Value,
        call: &Call,
    ) -> Result<Answer, Fault> {
        let deadline = deadline_of(call, arguments);
        let span = tracing::debug_span!(
            "wreimage.provider",
            function = %function,
            call = call.sequence
        );
        let performing = provider.perform(call, function, arguments).instrument(span);
        match tokio::time::timeout(deadline, performing).await {
            Ok(answer) => answer,
            Err(_) if deadline < call_deadline(arguments) => Err(Fault::timeout(
                "gate.lease-ran-out",
                format!("{} of {}", function.capability, self.context.host),
                format!(
                    "{function} did not end within {} s, for which the lease on {} was valid",
                    deadline.as_secs(),
                    self.context.host
                ),
            )),
            Err(_) => Err(overdue(function, arguments, &self.context.host)),
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
