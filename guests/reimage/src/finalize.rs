//! Seeing the new system up and well: it restarts once, alone, and is judged.

mod icinga;

use crate::boot::{self, identity_name};
use crate::drain::Drained;
use crate::machine::Machine;
use crate::options::Asked;
use crate::suppression::Suppression;
use crate::{boot_override, hooks, mask, meanwhile, policy};
use wreimage_facts::code;
use wreimage_sdk::remote::{self, Answering, BootReference, Identity};
use wreimage_sdk::{
    Actions, Fault, FaultKind, Offers, Step, attempt, clock, httpbb, puppet, retry, text,
};

/// Name of the phase.
pub const PHASE: &str = "finalize";

/// What the phases before have left to finalize.
#[derive(Debug)]
pub struct Left<'a> {
    /// What the drain has changed.
    pub drained: &'a Drained,
    /// The downtime and the silence of this run.
    pub suppression: &'a Suppression,
    /// Where the new system answered after the installation.
    pub installed: Identity,
    /// Whether the first Puppet run was done.
    pub configured: bool,
}

/// Reboots the new system, waits until it is well, and says what is left to do.
///
/// # Errors
/// When the next reboot would not be an ordinary one, or the new system does not come back.
pub fn run(
    asked: &Asked,
    machine: &Machine,
    left: &Left<'_>,
    actions: &mut Actions,
) -> Result<(), Fault> {
    let mut phase = actions.phase(PHASE);

    phase.step("Ensure that the BIOS boot parameters are back to normal to prevent an accidental reboot into PXE", |step| {
        boot_override::ensure_normal(machine, step)
    })?;
    phase.step_unless(
        "Run Puppet on the host where this runs to get the known host key of the new host",
        asked.lacks(&["puppet"]),
        |step| learn_host_key(asked, step),
    )?;
    let before = phase.value("Reboot the new host", |step| {
        reboot(asked, machine, left, step)
    })?;
    let identity = phase.long_value(
        "Poll until the new host is reachable",
        policy::REBOOT_USUALLY,
        |step| wait_for_boot(asked, machine, left, &before, step),
    )?;
    phase.long_step_unless(
        "Poll until a successful Puppet run is completed",
        asked.lacks(&["puppet"]),
        policy::PUPPET_RUN_USUALLY,
        |step| puppet_run(asked, identity, before.time_ms, step),
    )?;
    hooks::check_installed(actions)?;
    let mut phase = actions.phase(PHASE);
    let untested = asked.httpbb.is_none().then(|| "no --httpbb".to_owned());
    phase.step_unless(
        "Run Httpbb against the host",
        untested.or_else(|| asked.lacks(&["httpbb"])),
        |step| test_web_server(asked, step),
    )?;
    let unmasked = asked.mask.is_empty();
    phase.step_unless(
        "Print the command to unmask the masked units, if there is any",
        unmasked.then(|| "no units were masked".to_owned()),
        |step| {
            step.warns(format!(
                "on {}, unless Puppet has done it: {}",
                asked.host,
                mask::unmask(&asked.mask.join(" "))
            ));
            Ok(())
        },
    )?;

    // Without waiting for the checks, too: whoever looks later sees the new system.
    phase.step_unless(
        "Force a recheck of all Icinga checks",
        asked.lacks(&["icinga"]),
        icinga::recheck,
    )?;
    let awaited = phase.long_step_unless(
        "Poll until the host status in Icinga is optimal",
        asked
            .lacks(&["icinga"])
            .or_else(|| icinga::not_awaited(asked)),
        policy::OPTIMAL_USUALLY,
        icinga::wait_until_optimal,
    )?;
    let unwell = match awaited {
        Some(unwell) => unwell,
        // Without Icinga nothing else will ever judge the host.
        None if asked.lacks(&["icinga"]).is_some() => None,
        None => Some("the status in Icinga was not checked (--no-check-icinga)"),
    };
    phase.step(
        "Remove the downtime if the host status is optimal",
        |step| match unwell {
            None => icinga::end_suppression(asked, left.suppression, step),
            Some(why) => icinga::keep_suppression(why, asked, machine, left.suppression, step),
        },
    )?;

    let repool = &left.drained.repool;
    phase
        .step_unless(
            "Print the command to repool any depooled service, if there is any",
            repool.is_empty().then(|| "nothing to repool".to_owned()),
            |step| {
                let commands: Vec<&str> = repool.iter().map(|it| it.command.as_str()).collect();
                step.warns(format!("not repooled; run: {}", commands.join("; ")));
                Ok(())
            },
        )
        .map(|_| ())
}

/// The controller knows the host's new key only after its own Puppet run.
fn learn_host_key(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    let offers = Offers {
        retry: Some("run it again"),
        abort: "stop here; the new OS stays as it is",
        ..Offers::default()
    };
    let run = attempt(&offers, step, |_| {
        let run = puppet::run_on_controller(policy::CONTROLLER_TIMEOUT)?;
        if run.succeeded {
            return Ok(run);
        }
        Err(Fault::new(
            FaultKind::Rejected,
            "reimage.controller-run-failed",
            "controller",
            format!(
                "Puppet on the host where this runs failed with exit status {}, so that it may not know the new key of {}: {}",
                run.status,
                asked.host,
                text::last_lines(&run.output_tail, 2)
            ),
        ))
    })?;
    if let Some(run) = run {
        step.says(run.to_string());
    }
    Ok(())
}

/// Reboots once and returns the moment before, against which the next boot is new.
fn reboot(
    asked: &Asked,
    machine: &Machine,
    left: &Left<'_>,
    step: &mut Step,
) -> Result<BootReference, Fault> {
    let (identity, boot_id) = running(asked, left, step)?;
    let before = BootReference {
        boot_id: Some(boot_id.clone()),
        time_ms: clock::now_ms()?,
    };
    step.evidence("boot id before", boot_id);
    // Nothing is read between this and the reboot. An override that is set in between is found by the host.
    let mut refused = 0;
    let reboot = loop {
        boot_override::ensure_still_normal(machine, step)?;
        match remote::reboot(identity) {
            Err(fault)
                if fault.code == code::OVERRIDE_CHANGED && refused < policy::REFUSED_REBOOTS =>
            {
                refused += 1;
            }
            made => break made,
        }
    };
    match reboot {
        Ok(()) => step.says(format!("asked at the {} identity", identity_name(identity))),
        // The next boot id tells.
        Err(fault) if fault.is(FaultKind::InDoubt) => {
            step.warns(format!(
                "whether it began to reboot is not known: {}",
                fault.message
            ));
        }
        Err(fault) => return Err(fault),
    }
    Ok(before)
}

/// Where the system answers, and its boot id. Without a first Puppet run it may know the installer's key only; at a
/// site without Puppet nothing has changed its keys since the installation.
fn running(asked: &Asked, left: &Left<'_>, step: &mut Step) -> Result<(Identity, String), Fault> {
    let read = |identity| {
        retry(policy::READ_FROM_NEW_SYSTEM, |_| {
            remote::get_boot_id(identity)
        })
    };
    let expected = if asked.lacks(&["puppet"]).is_some() {
        left.installed
    } else {
        Identity::Production
    };
    match read(expected) {
        Ok(boot_id) => Ok((expected, boot_id)),
        Err(fault) if !left.configured && !fault.is(FaultKind::Cancelled) => {
            let other = match expected {
                Identity::Production => Identity::Installer,
                Identity::Installer => Identity::Production,
            };
            let boot_id = read(other)?;
            step.warns(format!(
                "{} answers at the {} identity only: {}",
                asked.host,
                identity_name(other),
                fault.message
            ));
            Ok((other, boot_id))
        }
        Err(fault) => Err(fault),
    }
}

fn wait_for_boot(
    asked: &Asked,
    machine: &Machine,
    left: &Left<'_>,
    before: &BootReference,
    step: &mut Step,
) -> Result<Identity, Fault> {
    let not_back = format!(
        "{} was asked to reboot, and no newer boot answers. Look at its console by {}.",
        asked.host, machine.management
    );
    let at = if left.configured {
        Answering::Production
    } else {
        Answering::Either
    };
    let boot = boot::wait(before, at, policy::RESTARTED, &not_back, step)?;
    boot::seen(&boot, step);
    Ok(boot.identity)
}

fn puppet_run(
    asked: &Asked,
    identity: Identity,
    since_ms: u64,
    step: &mut Step,
) -> Result<(), Fault> {
    let offers = Offers {
        retry: Some("look again"),
        wait: Some("wait as long again"),
        skip: Some("go on; Puppet has not succeeded since the reboot"),
        abort: "stop here; the new OS stays as it is",
    };
    let ended = attempt(&offers, step, |_| {
        puppet::wait_for_success(identity, since_ms, policy::PUPPET_RUN)
            .map_err(|fault| meanwhile::explain(asked, identity, fault))
    })?;
    if let Some(ended) = ended {
        let seconds = ended.saturating_sub(since_ms) / 1000;
        step.says(format!("a run succeeded {seconds} s after the reboot"));
    }
    Ok(())
}

fn test_web_server(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    let suite = asked.httpbb.as_deref().unwrap_or_default();
    let report = httpbb::run_suite(suite);
    let failed = format!("the suite {suite} could not be run");
    let Some(report) = step.tolerates(&failed, report)? else {
        return Ok(());
    };
    step.evidence("output", report.blob.as_deref().unwrap_or("not kept"));
    let end = text::last_lines(&report.output_tail, 2);
    if report.passed {
        step.says(format!("the suite {suite} passed"));
    } else {
        step.warns(format!("the suite {suite} failed: {end}"));
    }
    Ok(())
}
