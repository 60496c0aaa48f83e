//! Going on with a run whose process went away.

use crate::guest::effects::{self, ChangedEffect};
use jiff::Timestamp;
use wreimage_capability::Catalogue;
use wreimage_journal::{Entry, Header, Record, RunOutcome};

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
         {}use that version, or end the run with `wreimage cleanup`",
        named(changed)
    )]
    OtherHost {
        /// Version in the journal.
        recorded: String,
        /// This version.
        present: &'static str,
        /// What differs.
        changed: Box<ChangedEffect>,
    },
}

/// The function that differs, in the middle of a sentence.
fn named(changed: &ChangedEffect) -> String {
    match (&changed.function, &changed.present) {
        (None, _) => String::new(),
        (Some(function), None) => format!("`{function}` does not exist any more; "),
        (Some(function), Some(present)) => format!(
            "`{function}` was `{}` and is `{present}`; ",
            changed.recorded
        ),
    }
}

/// The header of a journal with which this host can go on.
///
/// # Errors
/// Why it cannot.
pub fn resumable(entries: &[Entry]) -> Result<&Header, ResumeError> {
    let header = endable(entries)?;
    match effects::compare(Catalogue::default(), &header.effects) {
        Ok(()) => Ok(header),
        Err(changed) => Err(ResumeError::OtherHost {
            recorded: header.wreimage.clone(),
            present: env!("CARGO_PKG_VERSION"),
            changed: Box::new(changed),
        }),
    }
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
