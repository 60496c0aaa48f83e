//! Whether the host is well, by Icinga's word; only then may monitoring speak of it again.

use crate::held;
use crate::machine::Machine;
use crate::options::Asked;
use crate::policy;
use crate::quiet::Quiet;
use crate::steps::settle as steps;
use crate::todo::leave_all;
use wreimage_sdk::{Fault, FaultKind, Phase, Step, alertmanager, icinga};

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
    // Without waiting for the checks, too: whoever looks later sees the new system.
    phase.step_unless(asked.lacks(&["icinga"]), steps::RECHECK, |step| {
        let failed = "the checks could not be forced";
        if step.tolerates(failed, icinga::recheck())?.is_some() {
            step.says("of the host and all its services");
        }
        Ok(())
    })?;
    let not_awaited = || {
        asked
            .no_check_icinga
            .then(|| "--no-check-icinga".to_owned())
    };
    let awaited = phase.long_step_unless(
        asked.lacks(&["icinga"]).or_else(not_awaited),
        steps::OPTIMAL,
        policy::OPTIMAL_USUALLY,
        wait_until_optimal,
    )?;
    let unwell = match awaited {
        Some(unwell) => unwell,
        // Without Icinga nothing else will ever judge the host.
        None if asked.lacks(&["icinga"]).is_some() => None,
        None => Some("the status in Icinga was not checked (--no-check-icinga)"),
    };
    phase.step(steps::REMOVE_DOWNTIME, |step| match unwell {
        None => speak_again(asked, quiet, step),
        Some(why) => keep_quiet(why, asked, machine, quiet, step),
    })
}

/// Why monitoring has to stay quiet about the host; none when all is well.
fn wait_until_optimal(step: &mut Step) -> Result<Option<&'static str>, Fault> {
    let reached = icinga::wait_until_optimal(policy::OPTIMAL);
    let unwell = match &reached {
        Ok(_) => None,
        // One that does not answer is waited for as long as one that says no: only to ask once more tells them apart.
        Err(fault) if fault.is(FaultKind::Timeout) && icinga::get_status().is_ok() => {
            Some("the status in Icinga is not optimal")
        }
        Err(_) => Some("the status in Icinga could not be asked"),
    };
    if let Some(status) = step.tolerates(unwell.unwrap_or_default(), reached)? {
        step.says(status.to_string());
    }
    Ok(unwell)
}

fn speak_again(asked: &Asked, quiet: &Quiet, step: &mut Step) -> Result<(), Fault> {
    if *quiet == Quiet::default() {
        step.skips("there is none");
    }
    let mut left = quiet.clone();
    if quiet.downtime.is_some() {
        let failed = "the downtime could not be removed";
        let removed = step.tolerates(failed, icinga::remove_downtime())?;
        match removed {
            Some(true) => step.says("the downtime is removed"),
            Some(false) => step.says("the downtime had run out"),
            None => {}
        }
        if removed.is_some() {
            left.downtime = None;
        }
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
    leave_all(&left.todos(asked))?;
    report_others(asked, quiet, step)
}

/// Only this run's downtime and silence are removed, and what is left of others hides the new system's alarms.
fn report_others(asked: &Asked, quiet: &Quiet, step: &mut Step) -> Result<(), Fault> {
    let own = quiet.silence.as_ref().map(|silence| silence.id.as_str());
    let failed = "whether another downtime of the host holds is not known";
    let downtimes = step.tolerates(failed, held::downtimes(asked))?;
    let failed = "whether another silence of the host holds is not known";
    let silences = step.tolerates(failed, held::silences(asked, own))?;
    for held in [downtimes, silences].into_iter().flatten() {
        for comment in &held.foreign {
            step.warns(format!("another downtime of the host holds: {comment}"));
        }
        for todo in &held.earlier {
            step.warns(&todo.text);
        }
        leave_all(&held.earlier)?;
    }
    Ok(())
}

/// Nobody is alarmed about a host that is not known to be well, until somebody has looked at it.
fn keep_quiet(
    why: &str,
    asked: &Asked,
    machine: &Machine,
    quiet: &Quiet,
    step: &mut Step,
) -> Result<(), Fault> {
    match quiet.stays(&machine.device.fqdn) {
        None => step.skips("there is none"),
        Some(stays) => step.warns(format!("{why}; {stays}")),
    }
    leave_all(&quiet.todos(asked))?;
    report_others(asked, quiet, step)
}
