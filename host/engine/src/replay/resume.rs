//! Going on with a run whose process went away.

use crate::gate::course::Course;
use crate::identity::check::Progress;
use crate::run::stop::Stop;
use crate::undo::list::Open;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use wreimage_capability::role::Found;
use wreimage_capability::{Call, Function, Validity};
use wreimage_journal::{Entry, Header, Origin, Outcome, Reality, Record};

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
        outcome: String,
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
            outcome: ending.outcome.clone(),
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
    /// it.
    pub(crate) async fn restore_before_restart(
        self: &Arc<Self>,
        function: &Function,
        arguments: &Value,
        origin: Origin,
    ) -> Result<(), Stop> {
        {
            let state = self.state();
            let is_checked = !state.in_twin && !state.closing && !state.cancelled;
            if origin != Origin::Guest || !is_checked || !function.restarts(arguments) {
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
            if entry.made.is_none() {
                continue;
            }
            if !self.holds(&entry).await? {
                let is_reported = !next.is_some_and(|next| entry.is_undone_by(next));
                self.make_again(&entry, is_reported).await?;
            }
        }
        Ok(())
    }

    /// Whether what was made is still there, as far as the world tells. What stands in its place, of another run, pauses the run.
    async fn holds(self: &Arc<Self>, entry: &Open) -> Result<bool, Stop> {
        let Some(read_back) = entry.function.read_back() else {
            return Ok(true);
        };
        // What was done to a system that is wiped is gone with it, also where no process has seen the installer.
        let is_gone = read_back.is_used_up_by_restart && entry.restarted.is_some()
            || read_back.is_wiped
                && (!matches!(self.validity(entry.function), Validity::Now)
                    || self.state().progress() == Progress::Wiping);
        let capability = self.catalogue.capability(entry.function.capability);
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
            self.host
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
