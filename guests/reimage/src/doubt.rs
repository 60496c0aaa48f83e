//! Where the runbook is not sure, a person decides, and what was seen is kept.

use wreimage_sdk::{Fault, Step, prompt};

/// Goes on in spite of a doubt, with a warning: because of `--force`, or because the operator says so.
///
/// # Errors
/// The doubt itself when the operator says no or nobody can be asked.
pub fn settle(doubt: Fault, force: bool, step: &mut Step) -> Result<(), Fault> {
    if force {
        step.warns(doubt.and("Went on because of --force.").message);
        return Ok(());
    }
    match prompt::confirm(&format!("{} Go on all the same?", doubt.message)) {
        Ok(true) => {
            step.warns(doubt.and("The operator decided to go on.").message);
            Ok(())
        }
        Ok(false) => Err(doubt.and("The operator decided to stop.")),
        Err(fault) if fault.code == prompt::NOBODY => {
            Err(doubt.and("Nobody could be asked; --force goes on in spite of such a doubt."))
        }
        Err(fault) => Err(fault),
    }
}
