//! Whether the host is well, by Icinga's word; only then may monitoring speak of it again.

use crate::machine::Machine;
use crate::options::Asked;
use crate::policy;
use crate::quiet::Quiet;
use crate::steps::settle as steps;
use wreimage_sdk::{Fault, Phase, Step, alertmanager, icinga, leave};

/// Has everything checked, waits for a good result, and ends downtime and silence if there is one.
///
/// # Errors
/// `cancelled`: a host that does not get well is a warning.
pub fn run(
    asked: &Asked,
    machine: &Machine,
    quiet: &Quiet,
    phase: &mut Phase<'_>,
) -> Result<(), Fault> {
    let unchecked = || {
        asked.lacks(&["icinga"]).or_else(|| {
            asked
                .no_check_icinga
                .then(|| "--no-check-icinga".to_owned())
        })
    };
    phase.step_unless(unchecked(), steps::RECHECK, |step| {
        let failed = "the checks could not be forced";
        if step.tolerates(failed, icinga::recheck())?.is_some() {
            step.says("of the host and all its services");
        }
        Ok(())
    })?;
    let optimal = phase.long_step_unless(
        unchecked(),
        steps::OPTIMAL,
        policy::OPTIMAL_USUALLY,
        wait_until_optimal,
    )?;
    phase.step(steps::REMOVE_DOWNTIME, |step| match optimal {
        Some(true) => speak_again(asked, quiet, step),
        // Without Icinga nothing else will ever judge the host.
        None if asked.lacks(&["icinga"]).is_some() => speak_again(asked, quiet, step),
        _ => keep_quiet(asked, machine, quiet, step),
    })
}

fn wait_until_optimal(step: &mut Step) -> Result<bool, Fault> {
    let reached = icinga::wait_until_optimal(policy::OPTIMAL);
    let status = step.tolerates("Icinga status is not optimal", reached)?;
    if let Some(status) = &status {
        step.says(status.to_string());
    }
    Ok(status.is_some())
}

fn speak_again(asked: &Asked, quiet: &Quiet, step: &mut Step) -> Result<(), Fault> {
    if quiet.words().is_none() {
        step.skips("there is none");
    }
    let mut left = quiet.clone();
    if quiet.downtimed {
        let failed = "the downtime could not be removed";
        let removed = step.tolerates(failed, icinga::remove_downtime())?;
        match removed {
            Some(true) => step.says("the downtime is removed"),
            Some(false) => step.says("the downtime had run out"),
            None => {}
        }
        left.downtimed = removed.is_none();
    }
    if quiet.silence.is_some() {
        let failed = "the silence could not be ended";
        let expired = step.tolerates(failed, alertmanager::expire())?;
        match expired {
            Some(true) => step.says("the silence is ended"),
            Some(false) => step.says("the silence had run out"),
            None => {}
        }
        if expired.is_some() {
            left.silence = None;
        }
    }
    leave_all(asked, &left)
}

/// Nobody is alarmed about a host that is known not to be well, until somebody has looked at it.
fn keep_quiet(
    asked: &Asked,
    machine: &Machine,
    quiet: &Quiet,
    step: &mut Step,
) -> Result<(), Fault> {
    let Some(words) = quiet.words() else {
        step.skips("there is none");
        return Ok(());
    };
    let hours = policy::NEW_DOWNTIME.as_secs() / 3600;
    let why = if asked.no_check_icinga {
        "the status in Icinga was not checked (--no-check-icinga)"
    } else {
        "the status in Icinga is not optimal"
    };
    step.warns(format!(
        "{why}: not removed, and ends by itself after {hours} hours: {words} of {}",
        machine.device.fqdn
    ));
    leave_all(asked, quiet)
}

fn leave_all(asked: &Asked, quiet: &Quiet) -> Result<(), Fault> {
    for todo in quiet.todos(asked) {
        leave(&todo.text, &todo.command)?;
    }
    Ok(())
}
