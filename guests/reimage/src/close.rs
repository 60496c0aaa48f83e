//! Bringing the records up to date. The host is reimaged by now: what fails here wants attention, no more.

use crate::finalize::Left;
use crate::machine::Machine;
use crate::options::Asked;
use crate::{meanwhile, policy, progress};
use wreimage_facts::code;
use wreimage_sdk::netbox::{self, DeviceStatus, ScriptEnd, ScriptResult};
use wreimage_sdk::{Actions, Fault, FaultKind, Step, end_follow_up, text};

/// Name of the phase.
pub const PHASE: &str = "close";

/// Imports what PuppetDB knows of the new system into the inventory, and sets the device to active. The closing comment
/// is left to the closing words: they know how the run has ended.
///
/// # Errors
/// `cancelled`. A script that does not do its work fails the run at its end, and so does a certificate that is not valid any
/// more.
pub fn run(
    asked: &Asked,
    machine: &Machine,
    left: &Left<'_>,
    actions: &mut Actions,
) -> Result<(), Fault> {
    let mut phase = actions.phase(PHASE);
    phase.step_unless(
        "Run the ImportPuppetDB Netbox script for the host and show its results",
        asked.lacks(&["puppetdb"]),
        import,
    )?;
    phase.step(
        "Set the Netbox status to active if it was planned or failed",
        activate,
    )?;
    phase.step("Report what others have changed since the drain", |step| {
        meanwhile::report(asked, machine, left, step)?;
        end_follow_up(progress::KEY);
        Ok(())
    })
}

fn import(step: &mut Step) -> Result<(), Fault> {
    let [name, old_name] = policy::IMPORT_SCRIPTS;
    let result = match netbox::run_script(name, policy::IMPORT_TIMEOUT) {
        Err(fault) if is_unnamed(&fault) => netbox::run_script(old_name, policy::IMPORT_TIMEOUT),
        ended => ended,
    };
    let result = match result {
        Ok(result) => result,
        Err(fault) if fault.is(FaultKind::Cancelled) => return Err(fault),
        Err(fault) => {
            step.evidence("fault", &fault.code);
            step.fails(format!(
                "Failed to execute the Netbox script, try manually: {}",
                fault.message
            ));
            return Ok(());
        }
    };
    step.evidence("job", &result.location);
    for line in result.log.iter().take(policy::IMPORT_LINES_SHOWN) {
        let message = text::line(&line.message, policy::LINE_LIMIT);
        step.evidence(&text::line(&line.level, 20), message);
    }
    let failures = failures(&result);
    if result.end != ScriptEnd::Completed {
        step.fails(format!(
            "the Netbox script {}, try manually: {} {}",
            result.end,
            result.location,
            failures.last().cloned().unwrap_or_default()
        ));
    } else if let Some(first) = failures.first() {
        step.warns(format!(
            "the Netbox script reports {} failures, the first: {first} ({})",
            failures.len(),
            result.location
        ));
    } else {
        step.says(format!("completed, {} lines", result.log.len()));
    }
    Ok(())
}

/// Whether the site does not name the script; nothing was run then.
fn is_unnamed(fault: &Fault) -> bool {
    fault.code == code::SCRIPT_NOT_ALLOWED || fault.is(FaultKind::NotFound)
}

/// A script that completed may still say that something failed.
fn failures(result: &ScriptResult) -> Vec<String> {
    result
        .log
        .iter()
        .filter(|line| line.level == "failure")
        .map(|line| text::line(&line.message, policy::LINE_LIMIT))
        .collect()
}

/// The status is read again: hours have passed since the validation.
fn activate(step: &mut Step) -> Result<(), Fault> {
    let device = netbox::get_device();
    let failed = "the Netbox status could not be read";
    let Some(device) = step.tolerates(failed, device)? else {
        return Ok(());
    };
    if !matches!(device.status, DeviceStatus::Planned | DeviceStatus::Failed) {
        step.skips(format!("it is {}", device.status));
        return Ok(());
    }
    let set = netbox::set_status(&DeviceStatus::Active);
    let failed = format!(
        "the Netbox status {} could not be set to active",
        device.status
    );
    if step.tolerates(&failed, set)?.is_some() {
        step.says(format!("{} -> active", device.status));
    }
    Ok(())
}
