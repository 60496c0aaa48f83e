//! Monitoring gets to know the new system before it is configured, so that it is in downtime before its checks fail.

use crate::drain::Drained;
use crate::options::Asked;
use crate::policy;
use crate::quiet::{Quiet, silenced};
use crate::steps::populate as steps;
use wreimage_sdk::{
    Actions, Fault, Offers, Step, alertmanager, attempt, icinga, puppet, puppetdb, text,
};

/// Exports the host's resources and downtimes it. Always done, `--no-downtime` or not: that is about the old system.
///
/// # Errors
/// When Puppet cannot be run on the host, or the operator decides to stop because the resource does not appear. That the
/// downtime fails is a warning.
pub fn run(asked: &Asked, drained: &Drained, actions: &mut Actions) -> Result<Quiet, Fault> {
    let mut phase = actions.phase(steps::PHASE);

    phase.long_step_unless(
        asked.lacks(&["puppet"]),
        steps::NOOP,
        policy::NOOP_USUALLY,
        noop_run,
    )?;
    phase.step_unless(
        asked.lacks(&["icinga", "puppetdb", "puppet"]),
        steps::RESOURCE,
        resource,
    )?;
    phase.step_unless(
        asked.lacks(&["icinga", "puppet"]),
        steps::ICINGA_PUPPET,
        puppet_on_icinga,
    )?;
    let known = phase.step_unless(asked.lacks(&["icinga"]), steps::ICINGA_KNOWS, icinga_knows)?;
    let unknown = || {
        (known != Some(true)).then(|| {
            "Icinga does not know the new host; its checks may alarm somebody when it does"
                .to_owned()
        })
    };
    let downtimed = phase.step_unless(
        asked.lacks(&["icinga"]).or_else(unknown),
        steps::DOWNTIME,
        |step| downtime(asked, step),
    )?;
    let silence = phase.step_unless(asked.lacks(&["alertmanager"]), steps::SILENCE, |step| {
        make_silence(asked, drained, step)
    })?;

    Ok(Quiet {
        downtimed: downtimed == Some(true) || drained.quiet.downtimed,
        silence: silence.flatten().or_else(|| drained.quiet.silence.clone()),
    })
}

/// However the run ends, what counts is whether the resource is there afterwards.
fn noop_run(step: &mut Step) -> Result<(), Fault> {
    let run = puppet::noop_run(policy::NOOP_TIMEOUT)?;
    if run.succeeded {
        step.says(run.to_string());
    } else {
        step.warns(format!("{run}: {}", text::last_lines(&run.output_tail, 2)));
    }
    step.evidence("output", run.blob.as_deref().unwrap_or("not kept"));
    Ok(())
}

fn resource(step: &mut Step) -> Result<(), Fault> {
    let offers = Offers {
        retry: Some("look again"),
        wait: Some("wait as long again"),
        skip: Some("go on; Icinga may not get to know the host"),
        abort: "stop here; the new OS stays as it is",
    };
    let found = attempt(&offers, step, |_| {
        puppetdb::wait_for_resource(policy::ICINGA_RESOURCE, policy::EXPORTED)
    })?;
    if found.is_some() {
        step.says(format!("found {} in PuppetDB", policy::ICINGA_RESOURCE));
    }
    Ok(())
}

fn puppet_on_icinga(step: &mut Step) -> Result<(), Fault> {
    let run = puppet::run_on_monitoring(policy::MONITORING_TIMEOUT);
    let failed = "Puppet could not be run on the Icinga server";
    match step.tolerates(failed, run)? {
        Some(run) if run.succeeded => step.says(run.to_string()),
        Some(run) => step.warns(format!("{run}: {}", text::last_lines(&run.output_tail, 2))),
        None => {}
    }
    Ok(())
}

fn icinga_knows(step: &mut Step) -> Result<bool, Fault> {
    let known = icinga::wait_until_known(policy::MONITORED);
    let status = step.tolerates("Icinga does not know the new host", known)?;
    if let Some(status) = &status {
        step.says(status.to_string());
    }
    Ok(status.is_some())
}

fn downtime(asked: &Asked, step: &mut Step) -> Result<bool, Fault> {
    let hours = policy::NEW_DOWNTIME.as_secs() / 3600;
    let set = icinga::set_downtime(policy::millis(policy::NEW_DOWNTIME), &asked.reason());
    let failed = "Unable to downtime the new host on Icinga";
    let set = step.tolerates(failed, set)?.is_some();
    if set {
        step.says(format!("for {hours} hours"));
    }
    Ok(set)
}

/// Takes the place of the silence for the old system.
fn make_silence(
    asked: &Asked,
    drained: &Drained,
    step: &mut Step,
) -> Result<Option<String>, Fault> {
    let hours = policy::NEW_DOWNTIME.as_secs() / 3600;
    let made = alertmanager::silence(policy::millis(policy::NEW_DOWNTIME), &asked.reason());
    let failed = "Unable to silence the alerts of the new host on Alertmanager";
    let id = step.tolerates(failed, made)?;
    if let Some(id) = &id {
        step.says(silenced(hours, id));
        if drained.quiet.silence.is_some() {
            step.says("removed the silence of the old OS");
        }
    }
    Ok(id)
}
