//! The word to those who follow the task.

use crate::comment;
use crate::machine::Machine;
use crate::options::Asked;
use crate::steps::announce as steps;
use wreimage_sdk::{Actions, Fault, phabricator};

/// Says on the task that the reimage begins. A ticket system that does not take it never stops a reimage.
///
/// # Errors
/// `cancelled`.
pub fn run(asked: &Asked, machine: &Machine, actions: &mut Actions) -> Result<(), Fault> {
    actions
        .phase(steps::PHASE)
        .step_unless(comment::no_task(asked), steps::START_COMMENT, |step| {
            let text = comment::started(asked, &machine.device.fqdn);
            let told = phabricator::comment(&text);
            if step.tolerates("the task was not updated", told)?.is_some() {
                step.says(asked.task.as_deref().unwrap_or_default());
            }
            Ok(())
        })
        .map(|_| ())
}
