//! Why the journal of a run is not opened.

use crate::record::FORMAT;
use std::io;
use std::path::PathBuf;

/// A journal that cannot be read, or is not to be.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error("there is no run {run} in {}; `wreimage runs` lists those that there are", state.display())]
    NoRun {
        /// Id of the run.
        run: String,
        /// The state directory.
        state: PathBuf,
    },
    /// Another process drives the run.
    #[error("the run {run} goes on in another process ({driver}); only one may drive it")]
    Driven {
        /// Id of the run.
        run: String,
        /// What that process has written of itself.
        driver: String,
    },
    /// A newer program wrote it.
    #[error(
        "the journal {} has the format {found}, and this wreimage reads {FORMAT}: use the version that wrote it",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i32,
    },
    /// It is not what was written.
    #[error("the journal {} is damaged ({why}): it is not read any further, and nothing was changed", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It does not have the last durable record.
    #[error(
        "the journal {} was cut: {}. Its run is never resumed, as calls that it no longer shows would be repeated. `wreimage \
         cleanup {run}` ends the run and undoes only what is certainly its own",
        path.display(),
        missing(*found, *recorded)
    )]
    Cut {
        /// The file.
        path: PathBuf,
        /// Id of the run.
        run: String,
        /// Records that it has.
        found: u64,
        /// Number of the last durable record, as the file beside it has it.
        recorded: u64,
    },
    /// The file beside it that has the number of its durable records is missing or damaged.
    #[error(
        "{} beside the journal is missing or damaged: whether the journal was cut is not known. Its run is never resumed, as \
         calls that it may no longer show would be repeated. `wreimage cleanup {run}` ends the run and undoes only what is \
         certainly its own",
        path.display()
    )]
    Unmarked {
        /// The file.
        path: PathBuf,
        /// Id of the run.
        run: String,
    },
    /// It cannot be opened.
    #[error("cannot open the journal {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is wrong with a journal of so many records that lacks this one.
fn missing(found: u64, recorded: u64) -> String {
    if found < recorded {
        return format!("it ends at record {found}, and record {recorded} was on stable storage");
    }
    // A cleanup that was stopped has added records behind the cut.
    format!("its record {recorded} is not the one that was on stable storage")
}
