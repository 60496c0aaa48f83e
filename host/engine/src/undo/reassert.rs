//! Makes again what a run has made and what others have undone, before the run goes on or restarts the machine.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::ledger::Progress;
use crate::run::stop::Stop;
use crate::undo::list::UndoEntry;
use serde_json::Value;
use std::sync::Arc;
use wreimage_capability::role::Found;
use wreimage_capability::{Call, Function, Validity};
use wreimage_journal::{Origin, Outcome, Reality};

impl RunGate {
    /// Before a resumed run acts again, what it has set must still hold: BMCs forget, and entries run out. What the next call
    /// undoes itself may be undone already: the process may have died after that, which is nothing to report.
    pub(crate) async fn reassert_at_edge(
        self: &Arc<Self>,
        next: CallContext<'_>,
    ) -> Result<(), Stop> {
        {
            let mut state = self.state();
            if !next.is_by_guest() || !state.at_edge {
                return Ok(());
            }
            state.at_edge = false;
            if state.mode().is_closing() || state.cancelled {
                return Ok(());
            }
        }
        let _mutating = self.mutating.lock().await;
        self.reassert(Some(next.function), None).await
    }

    /// Directly before a restart: what this run has set for it is read, and done again when a person or another program has undone
    /// it.
    pub(crate) async fn reassert_before_restart(
        self: &Arc<Self>,
        context: CallContext<'_>,
    ) -> Result<(), Stop> {
        {
            let state = self.state();
            let is_checked =
                !state.mode().is_in_twin() && !state.mode().is_closing() && !state.cancelled;
            if !is_checked || !context.is_restart_by_guest() {
                return Ok(());
            }
        }
        let _mutating = self.mutating.lock().await;
        self.reassert(None, None).await
    }

    /// Before a restart is repeated that did not happen: what was set for it is not used up. The caller has the lock of mutations.
    pub(crate) async fn reassert_for(self: &Arc<Self>, restart: u64) -> Result<(), Stop> {
        self.reassert(None, Some(restart)).await
    }

    /// Reads what each open entry of the undo list stands for, and makes again what does not hold any more. `repeated` is a restart
    /// that did not happen. The caller has the lock of mutations.
    async fn reassert(
        self: &Arc<Self>,
        next: Option<&'static Function>,
        repeated: Option<u64>,
    ) -> Result<(), Stop> {
        let open = self.state().undo.entries();
        for entry in open {
            // One whose outcome is not known is the open call itself.
            if entry.made.is_none() {
                continue;
            }
            if !self.holds(&entry, repeated).await? {
                let is_reported = !next.is_some_and(|next| entry.is_undone_by(next));
                self.make_again(&entry, is_reported).await?;
            }
        }
        Ok(())
    }

    /// Whether what was made is still there, as far as the world tells. What stands in its place, of another run, pauses the run.
    async fn holds(
        self: &Arc<Self>,
        entry: &UndoEntry,
        repeated: Option<u64>,
    ) -> Result<bool, Stop> {
        let Some(read_back) = entry.function.read_back() else {
            return Ok(true);
        };
        // What was done to a system that is wiped is gone with it, also where no process has seen the installer.
        let restarted = entry.restarted.filter(|by| Some(*by) != repeated);
        let is_gone = read_back.is_used_up_by_restart && restarted.is_some()
            || read_back.is_wiped
                && (!matches!(self.validity(entry.function), Validity::Now)
                    || self.state().progress() == Progress::Wiping);
        let capability = self.context.catalogue.capability(entry.function.capability);
        let function = capability.and_then(|it| it.function(read_back.function));
        let Some(function) = function.filter(|_| !is_gone) else {
            return Ok(true);
        };
        let any = |answer: &Value| Some(answer.clone());
        let arguments = (read_back.arguments)();
        match self.own_call(function, arguments, any).await? {
            Ok(answer) => match entry.is_found(&answer) {
                Found::There | Found::Unknown => Ok(true),
                Found::Gone => Ok(false),
                Found::Replaced(what) => Err(self.is_foreign(&what)),
            },
            Err(fault) => {
                self.recorder.warn(&format!(
                    "whether {} still holds is not known: {}",
                    entry.function, fault.message
                ));
                Ok(true)
            }
        }
    }

    /// What this run made was replaced: what stands in its place is neither replaced nor undone.
    fn is_foreign(&self, what: &str) -> Stop {
        let text = format!(
            "{what} is not the one that this run published: another run or a person has replaced it. It stays, and {} was not \
             changed further. Find out whose it is",
            self.context.host
        );
        if !self.context.resumable {
            return Stop::Refused(text);
        }
        Stop::Paused(format!(
            "{text}. When it is gone, `wreimage resume {run}` publishes this run's again; `wreimage cleanup {run}` ends the run",
            run = self.context.run
        ))
    }

    /// Makes it once more, under the key of the call that made it.
    async fn make_again(
        self: &Arc<Self>,
        entry: &UndoEntry,
        is_reported: bool,
    ) -> Result<(), Stop> {
        let function: &'static Function = entry.function;
        let context = CallContext::of_host(function, &entry.arguments);
        self.check_before(context).await?;
        let mut call = Call::new(self.context.run.clone(), entry.call, self.sink(entry.call));
        call.may_pin = false;
        self.give_checked(&mut call);
        let began = self.recorder.clock().now();
        let Some(provider) = self.state().providers.get(function.capability) else {
            return Ok(());
        };
        self.record_intent(context, &call, None)?;
        if self.confirm_lease(context, &mut call).await?.is_some() {
            return Ok(());
        }
        let result = self
            .perform(provider.as_ref(), function, &entry.arguments, &call)
            .await;
        let took = self.recorder.clock().now().duration_since(began);
        let text = match &result {
            Ok(_) => {
                format!("what {function} had done was undone, not by this run; it was done again")
            }
            Err(fault) => format!(
                "what {function} had done was undone, not by this run, and could not be done again: {}",
                fault.message
            ),
        };
        self.record_outcome(
            function,
            &Outcome {
                call: entry.call,
                function: function.to_string(),
                effect: function.effect,
                origin: Origin::Host,
                component: None,
                arguments: entry.arguments.clone(),
                result,
                reality: Reality::Real,
                took_ms: u64::try_from(took.as_millis()).unwrap_or(0),
            },
        )?;
        // The operator must find out why: the report has it too.
        if is_reported {
            self.warn(text)?;
        } else {
            self.recorder.warn(&text);
        }
        Ok(())
    }
}
