//! Where the runbook is not sure, a person decides, and what was seen is kept.

use wreimage_sdk::{Fault, Step, prompt};

/// Goes on in spite of a doubt, with a warning: because of `--force`, or because the operator says so.
///
/// `instead` says in a sentence what is safe to do when the run does not go on.
///
/// # Errors
/// The doubt itself when the operator says no or nobody can be asked.
pub fn confirm(doubt: Fault, instead: &str, force: bool, step: &mut Step) -> Result<(), Fault> {
    if force {
        step.warns(doubt.and("Went on because of --force.").message);
        return Ok(());
    }
    match prompt::confirm(&format!("{} Go on all the same?", doubt.message)) {
        Ok(true) => {
            step.warns(doubt.and("The operator decided to go on.").message);
            Ok(())
        }
        Ok(false) => Err(doubt.and("The operator decided to stop.").and(instead)),
        Err(fault) if fault.code == prompt::NOBODY => Err(doubt
            .and("Nobody could be asked; a person at a terminal can decide to go on.")
            .and(instead)),
        Err(fault) => Err(fault),
    }
}
