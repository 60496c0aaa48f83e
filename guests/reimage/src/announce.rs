//! The first comment on the task.

use crate::comment;
use crate::machine::Machine;
use crate::options::Asked;
use wreimage_sdk::{Actions, Fault, phabricator};

/// Name of the phase.
pub const PHASE: &str = "announce";

/// Comments on the task that the reimage begins. A ticket system that does not take it never stops a reimage.
///
/// # Errors
/// `cancelled`.
pub fn run(asked: &Asked, machine: &Machine, actions: &mut Actions) -> Result<(), Fault> {
    actions
        .phase(PHASE)
        .step_unless(
            "Update the Phabricator task saying that the reimage has been started",
            comment::no_task(asked),
            |step| {
                let text = comment::started(asked, &machine.device.fqdn);
                let told = phabricator::comment(&text);
                if step.tolerates("the task was not updated", told)?.is_some() {
                    step.says(asked.task.as_deref().unwrap_or_default());
                }
                Ok(())
            },
        )
        .map(|_| ())
}
