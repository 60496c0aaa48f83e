//! Reverses at the end of a run what must not outlive it.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::lease::Standing;
use crate::run::stop::Stop;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::{Call, Dispatch, Fault, Function, Validity};
use wreimage_journal::{Record, UndoState};

/// How often it is tried to take something back that a system cannot take back at the moment, and the pause in between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(10);

/// Why something is left on a machine that is not the one on which it was set.
const ANOTHER_MACHINE: &str = "the machine that answers there is not the one that this run has changed; nothing more is done to it";

impl RunGate {
    /// Whether what the function made is to be taken back, as things stand.
    pub(crate) fn validity(&self, function: &Function) -> Validity {
        let facts = &self.state().facts;
        let inverse = function.inverse.as_ref();
        inverse.map_or(Validity::Now, |inverse| (inverse.valid)(facts))
    }

    /// Takes something back, and tries again while the system says that it may work later: nobody comes back to it.
    pub(crate) async fn reverse_one(
        &self,
        provider: &dyn Dispatch,
        context: CallContext<'_>,
        call: &Call,
    ) -> Result<Value, Fault> {
        let mut tries = 1;
        loop {
            match self
                .perform(provider, context.function, context.arguments, call)
                .await
            {
                Err(fault) if fault.retryable && tries < TRIES => {
                    call.progress(format!(
                        "try {tries} of {TRIES}, and again in {} s: {}",
                        PAUSE.as_secs(),
                        fault.message
                    ));
                    tries += 1;
                    let clock = self.recorder.clock();
                    let next = clock.now().saturating_add(PAUSE);
                    clock.sleep_until(next.unwrap_or(Timestamp::MAX)).await;
                }
                ended => return ended,
            }
        }
    }

    /// Why something is left although it would be undone: without its claim, or at a machine that is not its own, a run
    /// undoes only what the remote system itself knows by its run.
    fn not_provably_own(&self, inverse: &Function) -> Option<&'static str> {
        if inverse.names_its_run() {
            return None;
        }
        if matches!(self.holder.standing(), Standing::Lost(_)) {
            return Some(
                "this run does not have the lease on the host, so it may be another run's",
            );
        }
        None
    }

    /// Takes back what is open, last first, past failures.
    pub(crate) async fn reverse_all(self: &Arc<Self>) -> Result<(), Stop> {
        loop {
            let (function, inverse) = {
                let state = self.state();
                match state.undo.last() {
                    Some(open) => (open.function, open.inverse),
                    None => return Ok(()),
                }
            };
            let validity = match self.not_provably_own(inverse) {
                Some(reason) => Validity::Leave(reason),
                None => match self.validity(function) {
                    Validity::Now if !self.may_undo(inverse).await? => {
                        Validity::Leave(ANOTHER_MACHINE)
                    }
                    validity => validity,
                },
            };
            match validity {
                Validity::Now => {
                    // The outcome closes the entry, whatever it is.
                    match self.call(CallContext::of_undo(inverse, &json!({}))).await {
                        // From the second try on the record is only told, not kept.
                        Ok(_) => {}
                        Err(Stop::Record(_)) if !self.context.resumable => {}
                        Err(other) => return Err(other),
                    }
                }
                Validity::Leave(reason) | Validity::Gone(reason) => {
                    let state = match validity {
                        Validity::Leave(_) => UndoState::Left,
                        _ => UndoState::NotNeeded,
                    };
                    let closed = self.state().undo.last().map(|it| it.closed(state, reason));
                    if let Some(closed) = closed {
                        let record = Record::UndoClosed(closed);
                        if self.replay_note(&record) {
                            self.close_replayed(&record);
                            continue;
                        }
                        // A record that cannot be kept must not leave the other entries behind; the recorder remembers
                        // why, and the report says it.
                        if let Err(error) = self.record(record)
                            && self.context.resumable
                        {
                            return Err(error.into());
                        }
                    }
                }
            }
        }
    }

    /// An entry of the past that the records do not close here is closed nevertheless.
    fn close_replayed(&self, record: &Record) {
        let now = self.recorder.clock().now();
        self.state().apply(record, now);
    }
}
