//! Removing what other systems hold of the old system, so that the new one can take its name.

use crate::options::Asked;
use crate::policy;
use crate::steps::forget as steps;
use wreimage_sdk::{Actions, Fault, Step, debmonitor, puppet_ca, puppetdb, retry_if_worth};

/// Removes the host from Puppet, from its certificate authority and from Debmonitor.
///
/// # Errors
/// What could not be removed. The machine itself is as it was.
pub fn run(asked: &Asked, actions: &mut Actions) -> Result<(), Fault> {
    let mut phase = actions.phase(steps::PHASE);

    let forgotten = phase.step_unless(asked.lacks(&["puppetdb"]), steps::PUPPETDB, |step| {
        remove(step, puppetdb::deactivate)
    })?;
    // Another run would not find it there.
    let again = |fault: Fault| match forgotten {
        Some(()) => fault.and(&format!(
            "{} is out of PuppetDB already: the next run needs --new.",
            asked.host
        )),
        None => fault,
    };
    phase.step_unless(asked.lacks(&["puppet-ca"]), steps::CERTIFICATE, |step| {
        remove(step, puppet_ca::clean).map_err(again)
    })?;
    phase
        .step_unless(asked.lacks(&["debmonitor"]), steps::DEBMONITOR, |step| {
            remove(step, debmonitor::remove).map_err(again)
        })
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
