//! Bringing the records up to date. The host is reimaged by now: what fails here wants attention, no more.

use crate::policy;
use crate::steps::close as steps;
use wreimage_sdk::netbox::{self, DeviceStatus, ScriptEnd, ScriptResult};
use wreimage_sdk::{Actions, Fault, FaultKind, Step, text};

/// Imports what PuppetDB knows of the new system into the inventory, and sets the device to active. The closing comment
/// is left to the closing words: they know how the run has ended.
///
/// # Errors
/// `cancelled`.
pub fn run(puppetdb_missing: Option<String>, actions: &mut Actions) -> Result<(), Fault> {
    let mut phase = actions.phase(steps::PHASE);
    phase.step_unless(puppetdb_missing, steps::IMPORT, import)?;
    phase.step(steps::STATUS, activate)
}

fn import(step: &mut Step) -> Result<(), Fault> {
    let [name, old_name] = policy::IMPORT_SCRIPTS;
    let result = match netbox::run_script(name, policy::IMPORT_TIMEOUT) {
        Err(fault) if is_unnamed(&fault) => netbox::run_script(old_name, policy::IMPORT_TIMEOUT),
        ended => ended,
    };
    let failed = "the Netbox script failed, try manually";
    let Some(result) = step.tolerates(failed, result)? else {
        return Ok(());
    };
    step.evidence("job", &result.location);
    for line in result.log.iter().take(policy::IMPORT_LINES_SHOWN) {
        let message = text::line(&line.message, policy::LINE_LIMIT);
        step.evidence(&text::line(&line.level, 20), message);
    }
    match complaint(&result) {
        None => step.says(format!("completed, {} lines", result.log.len())),
        Some(complaint) => step.warns(complaint),
    }
    Ok(())
}

/// Whether the site does not name the script; nothing was run then.
fn is_unnamed(fault: &Fault) -> bool {
    fault.code == "netbox.not-allowed" || fault.is(FaultKind::NotFound)
}

/// What is wrong with a result. A script that completed may still say that something failed.
fn complaint(result: &ScriptResult) -> Option<String> {
    let failures: Vec<String> = result
        .log
        .iter()
        .filter(|line| line.level == "failure")
        .map(|line| text::line(&line.message, policy::LINE_LIMIT))
        .collect();
    if result.end != ScriptEnd::Completed {
        let last = failures.last().cloned().unwrap_or_default();
        Some(format!(
            "the Netbox script {}, try manually: {} {last}",
            result.end, result.location
        ))
    } else {
        failures.first().map(|first| {
            format!(
                "the Netbox script reports {} failures, the first: {first} ({})",
                failures.len(),
                result.location
            )
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use wreimage_sdk::netbox::ScriptLine;

    fn result(end: ScriptEnd, lines: &[(&str, &str)]) -> ScriptResult {
        ScriptResult {
            end,
            log: lines
                .iter()
                .map(|(level, message)| ScriptLine {
                    level: (*level).to_owned(),
                    message: (*message).to_owned(),
                })
                .collect(),
            location: "job/1".to_owned(),
            extra: Vec::new(),
        }
    }

    #[test]
    fn a_script_that_completed_is_judged_by_its_lines() {
        let good = [("success", "eth0"), ("warning", "no LLDP")];
        assert_eq!(complaint(&result(ScriptEnd::Completed, &good)), None);
        let bad = [("success", "eth0"), ("failure", "no cable")];
        let told = complaint(&result(ScriptEnd::Completed, &bad)).unwrap();
        assert!(
            told.contains("1 failures") && told.contains("no cable"),
            "{told}"
        );
        let broken = complaint(&result(ScriptEnd::Errored, &[])).unwrap();
        assert!(
            broken.contains("errored") && broken.contains("job/1"),
            "{broken}"
        );
    }
}
