//! Monitoring gets to know the new system before it is configured, so that it is in downtime before its checks fail.

use crate::drain::Drained;
use crate::options::Asked;
use crate::progress::Progress;
use crate::suppression::{self, Silence, Suppression, end_of, silenced, time_of_day};
use crate::{certificate, policy};
use wreimage_sdk::{Actions, Fault, Offers, Step, attempt, icinga, puppet, puppetdb, text};

/// Name of the phase.
pub const PHASE: &str = "populate";

/// Exports the host's resources and downtimes it. Always done, `--no-downtime` or not: that is about the old system.
///
/// # Errors
/// When Puppet cannot be run on the host, or the operator decides to stop because the resource does not appear. That the
/// downtime fails is a warning.
pub fn run(
    asked: &Asked,
    drained: &Drained,
    progress: &mut Progress,
    actions: &mut Actions,
) -> Result<Suppression, Fault> {
    let mut phase = actions.phase(PHASE);

    phase.long_step_unless("Run Puppet in NOOP mode to compile the catalog and populate PuppetDB with the exported resources", asked.lacks(&["puppet"]),
        policy::NOOP_USUALLY,
        |step| noop_run(asked, progress, step),
    )?;
    phase.step_unless(
        "Poll PuppetDB until the Nagios_host resource appears",
        asked.lacks(&["icinga", "puppetdb", "puppet"]),
        |step| resource(asked, progress, step),
    )?;
    phase.step_unless(
        "Run Puppet on the Icinga server to get the check definitions for the new host",
        asked.lacks(&["icinga", "puppet"]),
        puppet_on_icinga,
    )?;
    let known = phase.step_unless(
        "Poll until Icinga knows the new host",
        asked.lacks(&["icinga"]),
        |step| icinga_knows(asked, progress, step),
    )?;
    let unknown = || {
        (known != Some(true)).then(|| {
            "Icinga does not know the new host; its checks may alarm somebody when it does"
                .to_owned()
        })
    };
    let downtime = phase.step_unless(
        "Downtime the new host in Icinga",
        asked.lacks(&["icinga"]).or_else(unknown),
        |step| set_downtime(asked, drained, step),
    )?;
    let silence = phase.step_unless(
        "Silence the alerts of the new host on Alertmanager",
        asked.lacks(&["alertmanager"]),
        |step| make_silence(asked, drained, step),
    )?;

    Ok(Suppression {
        downtime: downtime.flatten().or(drained.suppression.downtime),
        silence: silence
            .flatten()
            .or_else(|| drained.suppression.silence.clone()),
    })
}

/// However the run ends, what counts is whether the resource is there afterwards.
fn noop_run(asked: &Asked, progress: &mut Progress, step: &mut Step) -> Result<(), Fault> {
    let run = puppet::noop_run(policy::NOOP_TIMEOUT)?;
    if run.succeeded {
        // A catalogue makes the host known again; a run that failed may have got none.
        progress.change(asked, |it| it.is_removed = false);
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

fn resource(asked: &Asked, progress: &mut Progress, step: &mut Step) -> Result<(), Fault> {
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
        progress.change(asked, |it| it.is_removed = false);
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

fn icinga_knows(asked: &Asked, progress: &mut Progress, step: &mut Step) -> Result<bool, Fault> {
    let known = icinga::wait_until_known(policy::MONITORED);
    let status = step.tolerates("Icinga does not know the new host", known)?;
    if let Some(status) = &status {
        progress.change(asked, |it| it.is_monitored = true);
        step.says(status.to_string());
    }
    Ok(status.is_some())
}

/// When the downtime ends: that of the old system is replaced, and not shortened.
fn set_downtime(asked: &Asked, drained: &Drained, step: &mut Step) -> Result<Option<u64>, Fault> {
    let ends_ms =
        end_of(policy::NEW_DOWNTIME)?.max(drained.suppression.downtime.unwrap_or_default());
    let set = suppression::set_downtime(asked, policy::NEW_DOWNTIME, step);
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
    let old = drained.suppression.silence.as_ref();
    let old_ends_ms = old.map_or(0, |silence| silence.ends_ms);
    let ends_ms = end_of(policy::NEW_DOWNTIME)?.max(old_ends_ms);
    let made = suppression::set_silence(asked, policy::NEW_DOWNTIME);
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
