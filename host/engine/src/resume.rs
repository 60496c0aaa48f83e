//! Going on with a run whose process went away.

use crate::check::Progress;
use crate::course::Course;
use crate::restarts::is_restart;
use crate::stop::Stop;
use crate::undo::Open;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use wreimage_capability::dhcp::{self, Published};
use wreimage_capability::ipmi::{self, BootFlags};
use wreimage_capability::puppet::{self, AgentState, Identity};
use wreimage_capability::{Call, Function, Validity};
use wreimage_journal::{Entry, Header, Origin, Outcome, Reality, Record, RunOutcome};

/// A journal with which nobody can go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// There is nothing in it.
    #[error(
        "the journal has no header: the run went away before it began, and nothing was touched"
    )]
    Empty,
    /// It is over.
    #[error("the run {run} has ended ({outcome}): {summary}")]
    Finished {
        /// Id of the run.
        run: String,
        /// How.
        outcome: RunOutcome,
        /// In its words.
        summary: String,
    },
    /// Rehearsals are made again from the start.
    #[error("{0} was a rehearsal: nothing was changed; start it again")]
    Rehearsal(String),
    /// Its world went away with its process.
    #[error(
        "{0} was a run in a lab that went away with its process: nothing is left of it; start it again, with --world DIR if \
         it is to outlive its process"
    )]
    Gone(String),
    /// Other effect tables.
    #[error(
        "the run was started by wreimage {recorded}, whose functions have other effects than those of this one ({present}): \
         use that version, or end the run with `wreimage cleanup`"
    )]
    OtherHost {
        /// Version in the journal.
        recorded: String,
        /// This version.
        present: &'static str,
    },
}

/// The header of a journal with which this host can go on.
///
/// # Errors
/// Why it cannot.
pub fn resumable(entries: &[Entry]) -> Result<&Header, ResumeError> {
    let header = endable(entries)?;
    if header.effects != crate::effects_digest() {
        return Err(ResumeError::OtherHost {
            recorded: header.wreimage.clone(),
            present: env!("CARGO_PKG_VERSION"),
        });
    }
    Ok(header)
}

/// The header of a journal whose run this host can end: another version can do that as well.
///
/// # Errors
/// Why it cannot.
pub fn endable(entries: &[Entry]) -> Result<&Header, ResumeError> {
    let Some(Record::Header(header)) = entries.first().map(|entry| &entry.record) else {
        return Err(ResumeError::Empty);
    };
    if let Some(Record::Finished(ending)) = entries.last().map(|entry| &entry.record) {
        return Err(ResumeError::Finished {
            run: header.run.clone(),
            outcome: ending.outcome,
            summary: ending.summary.clone(),
        });
    }
    if header.dry_run {
        return Err(ResumeError::Rehearsal(header.run.clone()));
    }
    if !header.resumable {
        return Err(ResumeError::Gone(header.run.clone()));
    }
    Ok(header)
}

/// The digest of the guest that made the last records of a run.
pub fn guest_digest(entries: &[Entry]) -> Option<&str> {
    entries.iter().rev().find_map(|entry| match &entry.record {
        Record::GuestChanged { digest, .. } => Some(digest.as_str()),
        Record::Header(header) => Some(header.guest_digest.as_str()),
        _ => None,
    })
}

/// For how long nobody has driven the run, in milliseconds: since its last record, or since it was heard of after that.
/// Negative when the clock was set back meanwhile: deadlines by it move with it.
pub(crate) fn undriven(entries: &[Entry], heard: Option<Timestamp>, now: Timestamp) -> i64 {
    let last = entries.last().map(|entry| entry.time).max(heard);
    let last = last.unwrap_or(now).as_millisecond();
    now.as_millisecond().saturating_sub(last)
}

/// For how long nobody has driven the run between the processes before, since its last wait began.
pub(crate) fn undriven_before(entries: &[Entry]) -> i64 {
    entries
        .iter()
        .rev()
        .take_while(|entry| !matches!(entry.record, Record::Timer(_)))
        .filter_map(|entry| match &entry.record {
            Record::Resumed { undriven_ms, .. } => Some(*undriven_ms),
            _ => None,
        })
        .sum()
}

impl Course {
    /// Before a resumed run acts again, what it has set must still hold: BMCs forget, and entries run out. What the next call
    /// undoes itself may be undone already: the process may have died after that, which is nothing to report.
    pub(crate) async fn mend_undo(
        self: &Arc<Self>,
        next: &'static Function,
        origin: Origin,
    ) -> Result<(), Stop> {
        {
            let mut state = self.state();
            if origin != Origin::Guest || !state.at_edge {
                return Ok(());
            }
            state.at_edge = false;
            if state.closing || state.cancelled {
                return Ok(());
            }
        }
        let _mutating = self.mutating.lock().await;
        self.mend_open(Some(next)).await
    }

    /// Directly before a restart: what this run has set for it is read, and done again when a person or another program has undone
    /// it: the boot override, the DHCP entry, the agent of the old system that may not run.
    pub(crate) async fn restore_before_restart(
        self: &Arc<Self>,
        function: &Function,
        arguments: &Value,
        origin: Origin,
    ) -> Result<(), Stop> {
        {
            let state = self.state();
            let is_checked = !state.in_twin && !state.closing && !state.cancelled;
            if origin != Origin::Guest || !is_checked || !is_restart(function, arguments) {
                return Ok(());
            }
        }
        let _mutating = self.mutating.lock().await;
        self.mend_open(None).await
    }

    /// Reads what each open entry of the undo list stands for, and does again what does not hold any more. The caller has
    /// the lock of mutations.
    pub(crate) async fn mend_open(
        self: &Arc<Self>,
        next: Option<&'static Function>,
    ) -> Result<(), Stop> {
        let open = self.state().undo.entries();
        for entry in open {
            // One whose outcome is not known is the open call itself.
            let Some(made) = &entry.made else { continue };
            if !self.holds(&entry, made).await? {
                let is_reported = !next.is_some_and(|next| entry.is_undone_by(next));
                self.make_again(&entry, is_reported).await?;
            }
        }
        Ok(())
    }

    /// Whether what was made is still there, as far as the world tells. An entry of another run in its place pauses the run.
    async fn holds(self: &Arc<Self>, entry: &Open, made: &Value) -> Result<bool, Stop> {
        let holds = match (entry.function.capability, entry.function.name) {
            ("dhcp", "publish") => {
                let there = self
                    .own_call::<Option<Published>>(&dhcp::functions::get_published, json!({}))
                    .await?;
                match (serde_json::from_value::<Published>(made.clone()), there) {
                    (Ok(made), Ok(Some(there))) if there.digest != made.digest => {
                        return Err(self.entry_is_foreign(&there));
                    }
                    (Ok(_), there) => there.map(|there| there.is_some()),
                    (Err(_), there) => there.map(|_| true),
                }
            }
            // An override that a restart has used up is not missing.
            ("ipmi", "set-boot-device") if entry.restarted.is_none() => {
                let there = self
                    .own_call::<BootFlags>(&ipmi::functions::get_boot_flags, json!({}))
                    .await?;
                let made: Option<BootFlags> = serde_json::from_value(made.clone()).ok();
                there.map(|there| made.is_none_or(|made| there.device == made.device))
            }
            // What was done to a system that is wiped is gone with it, also where no process has seen the installer.
            ("puppet", "disable")
                if matches!(self.validity(entry.function), Validity::Now)
                    && self.state().progress() != Progress::Wiping =>
            {
                let at = json!({ "at": Identity::Production });
                let there = self
                    .own_call::<AgentState>(&puppet::functions::get_state, at)
                    .await?;
                there.map(|there| !there.enabled)
            }
            _ => Ok(true),
        };
        match holds {
            Ok(holds) => Ok(holds),
            Err(fault) => {
                self.recorder.warn(&format!(
                    "whether {} still holds is not known: {}",
                    entry.function, fault.message
                ));
                Ok(true)
            }
        }
    }

    /// The entry that this run published was replaced: the one that stands in its place is neither replaced nor withdrawn.
    fn entry_is_foreign(&self, there: &Published) -> Stop {
        let text = format!(
            "the DHCP entry {} is not the one that this run published: another run or a person has replaced it. It stays, and \
             {} was not changed further. Find out whose it is",
            there.location, self.host
        );
        if !self.resumable {
            return Stop::Refused(text);
        }
        Stop::Paused(format!(
            "{text}. When it is gone, `wreimage resume {run}` publishes this run's again; `wreimage cleanup {run}` ends the run",
            run = self.run
        ))
    }

    /// Makes it once more, under the key of the call that made it.
    async fn make_again(self: &Arc<Self>, entry: &Open, is_reported: bool) -> Result<(), Stop> {
        let function: &'static Function = entry.function;
        self.check_before(function, &entry.arguments).await?;
        let mut call = Call::new(self.run.clone(), entry.call, self.sink(entry.call));
        call.may_pin = false;
        self.give_checked(&mut call);
        let began = self.recorder.clock().now();
        let Some(provider) = self.state().providers.get(function.capability) else {
            return Ok(());
        };
        self.announce(function, &entry.arguments, Origin::Host, &call, None)?;
        if self
            .confirm_lease(function, Origin::Host, &mut call)
            .await?
            .is_some()
        {
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
        self.settle(
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
