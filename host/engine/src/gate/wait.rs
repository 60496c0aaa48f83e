//! Calls that look until something is so.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::run::stop::Stop;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_capability::{
    Call, Dispatch, Fault, Function, Polled, Role, WaitPolicy, from_millis, to_millis,
};
use wreimage_journal::{Record, Timer};

/// A clock that is off by more than this was set, or the machine has slept meanwhile.
const MISSED: Duration = Duration::from_secs(30);

/// From one time to another, in milliseconds.
fn apart(later: Timestamp, earlier: Timestamp) -> i64 {
    later
        .as_millisecond()
        .saturating_sub(earlier.as_millisecond())
}

impl RunGate {
    /// Looks until it is so, a deadline passes, or the run is cancelled.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        provider: &dyn Dispatch,
        context: CallContext<'_>,
        call: &Call,
        timer: Option<Timer>,
    ) -> Result<Result<Value, Fault>, Stop> {
        let CallContext {
            function,
            arguments,
            ..
        } = context;
        let clock = self.recorder.clock();
        let policy = arguments
            .get("policy")
            .and_then(|value| serde_json::from_value::<WaitPolicy>(value.clone()).ok())
            .map(|asked| match &self.waits {
                // The site's waits are those of its real systems; a twin has its own times.
                Some(at_site) if !self.state().mode().is_in_twin() => at_site(function, asked),
                _ => asked,
            });
        let due = match (timer, &policy) {
            // Time in which nobody looked is not held against it.
            (Some(timer), _) => Some(
                timer
                    .due_ms
                    .saturating_add_signed(self.state().suspended_ms),
            ),
            (None, None) => None,
            (None, Some(policy)) => {
                let due = to_millis(clock.now()).saturating_add(policy.deadline_ms);
                self.set_timer(context, call, due)?;
                Some(due)
            }
        };
        let mut due = due.map(from_millis);
        let mut told = String::new();
        loop {
            let looked = clock.now();
            let elapsed = Instant::now();
            let last_look = due.is_some_and(|due| looked >= due);
            let (why, again) = match self
                .call_provider(provider, function, arguments, call)
                .await
            {
                Ok(Polled::Ready(outcome)) => return Ok(Ok(outcome)),
                Ok(Polled::Pending { why, again }) => {
                    // After a sleep of this machine: what answers is there again, and what was set may not be.
                    self.reassert_at_edge(context).await?;
                    (why, again)
                }
                // What does not answer now may answer later; that is what is being waited for.
                Err(fault) if fault.retryable => (fault.message, None),
                Err(fault) => return Ok(Err(fault)),
            };
            // What the clock says now and what it would say, had it not been set.
            let took = i64::try_from(elapsed.elapsed().as_millis()).unwrap_or(i64::MAX);
            let drift = apart(clock.now(), looked).saturating_sub(took);
            if self.clock_was_set(drift) {
                due = self.move_timer(context, call, due, drift)?;
                continue;
            }
            if last_look {
                let seconds = policy.as_ref().map_or(0, |p| p.deadline_ms / 1000);
                return Ok(Err(Fault::timeout(
                    "gate.wait-deadline",
                    format!("{} of {}", function.capability, self.context.host),
                    format!(
                        "{function} saw nothing new within {seconds} s; seen last: {why}{}",
                        self.console_hint(function)
                    ),
                )));
            }
            if told != why {
                call.progress(&why);
                told = why;
            }
            // A guest that asks for no pause at all would keep a real system busy.
            let interval = policy.as_ref().map_or(1000, |p| p.interval_ms.max(10));
            let mut next = again
                .unwrap_or_else(|| from_millis(to_millis(clock.now()).saturating_add(interval)));
            if let Some(due) = due {
                next = next.min(due);
            }
            tokio::select! {
                () = clock.sleep_until(next) => {}
                () = self.cancel.cancelled(), if !self.state().mode().is_closing() => {
                    let text = format!("the run was cancelled during {function}");
                    return Ok(Err(Fault::cancelled(text)));
                }
            }
            // Time in which no one could look is not held against it, and what answers late is asked once more.
            let drift = apart(clock.now(), next.max(looked));
            if self.clock_was_set(drift) {
                due = self.move_timer(context, call, due, drift)?;
            }
        }
    }

    /// Whether a clock that differs by so many milliseconds from what was expected was set. A virtual one never is.
    fn clock_was_set(&self, drift: i64) -> bool {
        u128::from(drift.unsigned_abs()) > MISSED.as_millis() && !self.recorder.clock().is_virtual()
    }

    /// The deadline of a wait by a clock that was set meanwhile, or on a machine that has slept: what was left is left still.
    fn move_timer(
        &self,
        context: CallContext<'_>,
        call: &Call,
        due: Option<Timestamp>,
        drift: i64,
    ) -> Result<Option<Timestamp>, Stop> {
        {
            let mut state = self.state();
            state.at_edge = true;
            state.needs_check();
        }
        let Some(due) = due else { return Ok(None) };
        let moved = to_millis(due).saturating_add_signed(drift);
        self.set_timer(context, call, moved)?;
        Ok(Some(from_millis(moved)))
    }

    /// Writes down when a wait or a pause is over: a resumed run waits for the rest.
    pub(crate) fn set_timer(
        &self,
        context: CallContext<'_>,
        call: &Call,
        due_ms: u64,
    ) -> Result<(), Stop> {
        self.record(Record::Timer(Timer {
            call: call.sequence,
            function: context.function.to_string(),
            origin: context.origin,
            arguments: context.arguments.clone(),
            due_ms,
        }))?;
        Ok(())
    }

    /// A boot that does not come is looked at on the console.
    fn console_hint(&self, function: &Function) -> String {
        match &self.context.console {
            Some(command) if function.role(Role::awaits_boot).is_some() => {
                format!("; its console: {command}")
            }
            _ => String::new(),
        }
    }
}
