//! Removing what other systems hold of the old system, so that the new one can take its name.

use crate::machine::Machine;
use crate::options::Asked;
use crate::policy;
use crate::progress::Progress;
use wreimage_sdk::{Actions, Fault, Step, debmonitor, puppet_ca, puppetdb, retry_if_worth};

/// Name of the phase.
pub const PHASE: &str = "deregister";

/// Removes the host from Puppet, from its certificate authority and from Debmonitor.
///
/// # Errors
/// What could not be removed. The machine itself is as it was.
pub fn run(
    asked: &Asked,
    machine: &Machine,
    progress: &mut Progress,
    actions: &mut Actions,
) -> Result<(), Fault> {
    let mut phase = actions.phase(PHASE);

    let forgotten = phase.step_unless(
        "Remove the host from Puppet and PuppetDB",
        asked.lacks(&["puppetdb"]),
        |step| {
            progress.change(asked, |it| it.is_installed = machine.present.is_some());
            remove(step, puppetdb::deactivate)?;
            progress.change(asked, |it| it.is_removed = true);
            Ok(())
        },
    )?;
    // Another run would not find it there.
    let again = |fault: Fault| match forgotten {
        Some(()) => fault.and(&format!(
            "{} is out of PuppetDB already: the next run needs --new.",
            asked.host
        )),
        None => fault,
    };
    phase.step_unless(
        "Delete any existing Puppet certificate for the host",
        asked.lacks(&["puppet-ca"]),
        |step| remove(step, puppet_ca::clean).map_err(again),
    )?;
    phase
        .step_unless(
            "Remove the host from Debmonitor",
            asked.lacks(&["debmonitor"]),
            |step| remove(step, debmonitor::remove).map_err(again),
        )
        .map(|_| ())
}

fn remove(step: &mut Step, removal: impl Fn() -> Result<bool, Fault>) -> Result<(), Fault> {
    let mut tried = 0;
    let was_there = retry_if_worth(policy::REMOVE, |attempt| {
        tried = attempt;
        removal()
    })?;
    step.says(if was_there {
        "removed"
    } else {
        "it was not there"
    });
    if tried > 1 {
        step.says(format!("at attempt {tried}"));
    }
    Ok(())
}
