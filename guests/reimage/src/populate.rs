//! Monitoring gets to know the new system before it is configured, so that it is in downtime before its checks fail.

use crate::drain::Drained;
use crate::options::Asked;
use crate::quiet::{self, Quiet, Silence, end_of, silenced, time_of_day};
use crate::steps::populate as steps;
use crate::{certificate, policy};
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
        |step| noop_run(asked, step),
    )?;
    phase.step_unless(
        asked.lacks(&["icinga", "puppetdb", "puppet"]),
        steps::RESOURCE,
        |step| resource(asked, step),
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
    let downtime = phase.step_unless(
        asked.lacks(&["icinga"]).or_else(unknown),
        steps::DOWNTIME,
        |step| set_downtime(asked, drained, step),
    )?;
    let silence = phase.step_unless(asked.lacks(&["alertmanager"]), steps::SILENCE, |step| {
        make_silence(asked, drained, step)
    })?;

    Ok(Quiet {
        downtime: downtime.flatten().or(drained.quiet.downtime),
        silence: silence.flatten().or_else(|| drained.quiet.silence.clone()),
    })
}

/// However the run ends, what counts is whether the resource is there afterwards.
fn noop_run(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    let run = puppet::noop_run(policy::NOOP_TIMEOUT)?;
    if run.succeeded {
        step.says(run.to_string());
    } else {
        step.warns(format!("{run}: {}", text::last_lines(&run.output_tail, 2)));
        if let Some(trouble) = certificate::trouble(asked) {
            step.warns(trouble);
        }
    }
    step.evidence("output", run.blob.as_deref().unwrap_or("not kept"));
    Ok(())
}

fn resource(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    let offers = Offers {
        retry: Some("look again"),
        wait: Some("wait as long again"),
        skip: Some("go on; Icinga may not get to know the host"),
        abort: "stop here; the new OS stays as it is",
    };
    let found = attempt(&offers, step, |_| {
        puppetdb::wait_for_resource(policy::ICINGA_RESOURCE, policy::EXPORTED)
            .map_err(|fault| certificate::explain(asked, fault))
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

/// When the downtime ends: that of the old system is replaced, and not shortened.
fn set_downtime(asked: &Asked, drained: &Drained, step: &mut Step) -> Result<Option<u64>, Fault> {
    let ends_ms = end_of(policy::NEW_DOWNTIME)?.max(drained.quiet.downtime.unwrap_or_default());
    let set = quiet::set_downtime(asked, policy::NEW_DOWNTIME, step);
    let failed = "Unable to downtime the new host on Icinga";
    if step.tolerates(failed, set)?.is_none() {
        return Ok(None);
    }
    step.says(format!("until {}", time_of_day(ends_ms)));
    Ok(Some(ends_ms))
}

/// Takes the place of the silence for the old system, and does not shorten it.
fn make_silence(
    asked: &Asked,
    drained: &Drained,
    step: &mut Step,
) -> Result<Option<Silence>, Fault> {
    let old = drained.quiet.silence.as_ref();
    let old_ends_ms = old.map_or(0, |silence| silence.ends_ms);
    let ends_ms = end_of(policy::NEW_DOWNTIME)?.max(old_ends_ms);
    let made = alertmanager::silence(policy::millis(policy::NEW_DOWNTIME), &asked.reason());
    let failed = "Unable to silence the alerts of the new host on Alertmanager";
    let Some(id) = step.tolerates(failed, made)? else {
        return Ok(None);
    };
    let silence = Silence { id, ends_ms };
    step.says(silenced(&silence));
    if old.is_some() {
        step.says("removed the silence of the old OS");
    }
    Ok(Some(silence))
}
