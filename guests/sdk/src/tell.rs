//! What a guest tells the host besides its steps.

use crate::bindings::wreimage::run::run;
use crate::{Fault, Level, Severity};

/// Something worth reporting that is not the end of a step.
///
/// # Errors
/// None but `cancelled`: the host has recorded it all the same.
pub fn note(level: Level, text: &str) -> Result<(), Fault> {
    run::note(&level, text)
}

/// A line for the log.
///
/// # Errors
/// None but `cancelled`: the host has recorded it all the same.
pub fn log(severity: Severity, text: &str) -> Result<(), Fault> {
    run::log(severity, text)
}
