//! Whether the host is well, as Icinga reports it; only then may monitoring alarm people about it again.

use crate::held;
use crate::machine::Machine;
use crate::options::Asked;
use crate::policy;
use crate::suppression::{self, Suppression};
use wreimage_sdk::{Fault, FaultKind, FollowUp, Step, icinga};

/// Has the host and all its services checked.
///
/// # Errors
/// `cancelled`.
pub fn recheck(step: &mut Step) -> Result<(), Fault> {
    let failed = "the checks could not be forced";
    if step.tolerates(failed, icinga::recheck())?.is_some() {
        step.says("of the host and all its services");
    }
    Ok(())
}

/// Why a good result is not waited for, if it is not.
pub fn not_awaited(asked: &Asked) -> Option<String> {
    asked
        .no_check_icinga
        .then(|| "--no-check-icinga".to_owned())
}

/// Why downtime and silence have to stay; none when all is well.
///
/// # Errors
/// `cancelled`: a host that does not get well is a warning.
pub fn wait_until_optimal(step: &mut Step) -> Result<Option<&'static str>, Fault> {
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

/// Ends this run's downtime and silence, and registers again what could not be ended.
///
/// # Errors
/// `cancelled`.
pub fn end_suppression(
    asked: &Asked,
    suppression: &Suppression,
    step: &mut Step,
) -> Result<(), Fault> {
    if *suppression == Suppression::default() {
        step.skips("there is none");
    }
    let mut left = suppression.clone();
    if suppression.downtime.is_some() {
        let removed = suppression::remove(step)?;
        match removed {
            Some(true) => step.says("the downtime is removed"),
            Some(false) => step.says("the downtime had run out"),
            None => {}
        }
        if removed.is_some() {
            left.downtime = None;
        }
    }
    if suppression.silence.is_some() {
        let expired = suppression::expire(step)?;
        match expired {
            Some(true) => step.says("the silence is ended"),
            Some(false) => step.says("the silence had run out"),
            None => {}
        }
        if expired.is_some() {
            left.silence = None;
        }
    }
    left.follow_ups(asked).iter().for_each(FollowUp::add);
    report_others(asked, suppression, step)
}

/// Only this run's downtime and silence are removed, and what is left of others hides the new system's alarms.
fn report_others(asked: &Asked, suppression: &Suppression, step: &mut Step) -> Result<(), Fault> {
    let own = suppression
        .silence
        .as_ref()
        .map(|silence| silence.id.as_str());
    let failed = "whether another downtime of the host holds is not known";
    let downtimes = step.tolerates(failed, held::downtimes(asked))?;
    let failed = "whether another silence of the host holds is not known";
    let silences = step.tolerates(failed, held::silences(asked, own))?;
    for held in [downtimes, silences].into_iter().flatten() {
        for comment in &held.foreign {
            step.warns(format!("another downtime of the host holds: {comment}"));
        }
        for earlier in &held.earlier {
            step.warns(&earlier.text);
            earlier.add();
        }
    }
    Ok(())
}

/// Leaves downtime and silence: a host that is not known to be well alarms no one before a person has checked it.
///
/// # Errors
/// `cancelled`.
pub fn keep_suppression(
    why: &str,
    asked: &Asked,
    machine: &Machine,
    suppression: &Suppression,
    step: &mut Step,
) -> Result<(), Fault> {
    match suppression.stays(&machine.device.fqdn) {
        None => step.skips("there is none"),
        Some(stays) => step.warns(format!("{why}; {stays}")),
    }
    suppression.follow_ups(asked).iter().for_each(FollowUp::add);
    report_others(asked, suppression, step)
}
