//! Whether the host is well, by Icinga's word; only then may monitoring speak of it again.

use crate::machine::Machine;
use crate::options::Asked;
use crate::policy;
use crate::populate::Quiet;
use crate::repool::Todo;
use crate::steps::settle as steps;
use wreimage_sdk::{Fault, Phase, Step, alertmanager, icinga, leave};

/// Has everything checked, waits for a good result, and ends downtime and silence if there is one.
///
/// # Errors
/// `cancelled`: a host that does not get well is a warning.
pub fn run(
    asked: &Asked,
    machine: &Machine,
    quiet: Quiet,
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

fn speak_again(asked: &Asked, quiet: Quiet, step: &mut Step) -> Result<(), Fault> {
    if quiet.downtimed {
        let removed = icinga::remove_downtime();
        match step.tolerates("the downtime could not be removed", removed)? {
            Some(true) => step.says("the downtime is removed"),
            Some(false) => step.says("the downtime had run out"),
            None => leave_downtime(asked)?,
        }
    }
    if quiet.silenced {
        let expired = alertmanager::expire();
        match step.tolerates("the silence could not be ended", expired)? {
            Some(true) => step.says("the silence is ended"),
            Some(false) => step.says("the silence had run out"),
            None => {}
        }
    }
    if !quiet.downtimed && !quiet.silenced {
        step.skips("there is none");
    }
    Ok(())
}

/// Nobody is alarmed about a host that is known not to be well, until somebody has looked at it.
fn keep_quiet(
    asked: &Asked,
    machine: &Machine,
    quiet: Quiet,
    step: &mut Step,
) -> Result<(), Fault> {
    let hours = policy::NEW_DOWNTIME.as_secs() / 3600;
    if !quiet.downtimed && !quiet.silenced {
        step.skips("there is none");
        return Ok(());
    }
    let why = if asked.no_check_icinga {
        "the status in Icinga was not checked (--no-check-icinga)"
    } else {
        "the status in Icinga is not optimal"
    };
    step.warns(format!(
        "{why}: downtime and silence of {} have not been removed, and run out by themselves after {hours} hours",
        machine.device.fqdn
    ));
    if quiet.downtimed {
        leave_downtime(asked)?;
    }
    Ok(())
}

fn leave_downtime(asked: &Asked) -> Result<(), Fault> {
    let todo = downtime_left(&asked.host);
    leave(&todo.text, &todo.command)
}

/// A downtime that nobody has removed.
pub fn downtime_left(host: &str) -> Todo {
    Todo {
        text: format!(
            "{host} is in downtime; the command is for the Icinga server, once its checks are green"
        ),
        command: remove_command(host),
    }
}

/// For the command file, which Icinga 1 has and Icinga 2 can have.
fn remove_command(host: &str) -> String {
    format!(
        "printf '[%s] DEL_DOWNTIME_BY_HOST_NAME;{host}\\n' \"$(date +%s)\" | sudo tee -a {}",
        policy::ICINGA_COMMAND_FILE
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_a_line_for_the_command_file() {
        assert_eq!(
            remove_command("host1001"),
            "printf '[%s] DEL_DOWNTIME_BY_HOST_NAME;host1001\\n' \"$(date +%s)\" | sudo tee -a /var/lib/icinga/rw/icinga.cmd"
        );
    }
}
