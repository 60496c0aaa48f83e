//! Taking the host out of service, so that nobody is alarmed and nothing is lost when it goes down.

use crate::machine::Machine;
use crate::options::Asked;
use crate::policy;
use crate::repool::{idle, pooled_before};
use crate::suppression::{self, Silence, Suppression, end_of, silenced, time_of_day};
use wreimage_sdk::conftool::{self, PoolObject};
use wreimage_sdk::{
    Actions, Fault, FaultKind, FollowUp, Offers, Step, attempt, clock, puppet, retry_if_worth,
};

/// Name of the phase.
pub const PHASE: &str = "drain";

/// What the drain leaves for later.
#[derive(Debug, Clone, Default)]
pub struct Drained {
    /// The downtime and the silence of the old system.
    pub suppression: Suppression,
    /// How to put the host back into its services.
    pub repool: Vec<FollowUp>,
    /// The value to which this run has set its services, if it has.
    pub depooled_to: Option<String>,
}

/// Downtime, silence, depool, and Puppet disabled; for a new host nothing of it.
///
/// # Errors
/// When the host cannot be depooled, or the operator decides to stop. The machine is as it was.
pub fn run(asked: &Asked, machine: &Machine, actions: &mut Actions) -> Result<Drained, Fault> {
    let mut phase = actions.phase(PHASE);

    let downtime = phase.step_unless(
        "Downtime on Icinga",
        no_downtime(asked, machine).or_else(|| asked.lacks(&["icinga"])),
        |step| set_downtime(asked, step),
    )?;
    let silence = phase.step_unless(
        "Silence the alerts on Alertmanager",
        no_downtime(asked, machine).or_else(|| asked.lacks(&["alertmanager"])),
        |step| make_silence(asked, step),
    )?;
    let repool = phase.step_unless("Depool from conftool", no_depool(asked), |step| {
        if machine.is_new {
            look_at_new(machine, step)
        } else {
            depool(asked, machine, step)
        }
    })?;
    let pooled = repool.is_none() || machine.is_new;
    phase.long_step_unless(
        "Wait for the traffic to drain after the depool",
        pooled.then(|| "nothing was depooled".to_owned()),
        policy::DRAINED,
        |step| {
            clock::sleep(policy::DRAINED)?;
            step.says(format!("waited {} s", policy::DRAINED.as_secs()));
            Ok(())
        },
    )?;
    phase.step_unless(
        "Disable Puppet on the host",
        not_disabled(asked, machine),
        |step| disable_puppet(asked, step),
    )?;

    Ok(Drained {
        suppression: Suppression {
            downtime: downtime.flatten(),
            silence: silence.flatten(),
        },
        repool: repool.unwrap_or_default(),
        depooled_to: asked.depool_to.clone().filter(|_| !pooled),
    })
}

/// Monitoring knows nothing of a new host.
fn no_downtime(asked: &Asked, machine: &Machine) -> Option<String> {
    if machine.is_new {
        Some("a new host has no old system to downtime".to_owned())
    } else if asked.no_downtime {
        Some("--no-downtime".to_owned())
    } else {
        None
    }
}

/// Why conftool is not asked, if it is not.
pub fn no_depool(asked: &Asked) -> Option<String> {
    match asked.depool_to {
        None => Some("no --conftool".to_owned()),
        Some(_) => asked.lacks(&["conftool"]),
    }
}

/// With `--no-pxe` there is a system whose agent can be disabled, whether PuppetDB knows it or not; the enrolment enables it
/// again.
fn not_disabled(asked: &Asked, machine: &Machine) -> Option<String> {
    if machine.is_new && machine.present.is_none() {
        Some("a new host has no Puppet to disable".to_owned())
    } else if machine.is_off {
        Some("the machine is off".to_owned())
    } else {
        asked.lacks(&["puppet"])
    }
}

/// When the downtime ends; none when the operator went on without.
fn set_downtime(asked: &Asked, step: &mut Step) -> Result<Option<u64>, Fault> {
    let set = attempt(&offers("downtime"), step, |step| {
        // Before it is set: what is set must not be forgotten because of what comes after.
        let ends_ms = end_of(policy::OLD_DOWNTIME)?;
        suppression::set_downtime(asked, policy::OLD_DOWNTIME, step)?;
        Ok(ends_ms)
    })?;
    if let Some(ends_ms) = set {
        step.says(format!("until {}", time_of_day(ends_ms)));
    }
    Ok(set)
}

fn make_silence(asked: &Asked, step: &mut Step) -> Result<Option<Silence>, Fault> {
    let made = attempt(&offers("silence"), step, |_| {
        let ends_ms = end_of(policy::OLD_DOWNTIME)?;
        let id = suppression::set_silence(asked, policy::OLD_DOWNTIME)?;
        Ok(Silence { id, ends_ms })
    })?;
    if let Some(silence) = &made {
        step.says(silenced(silence));
    }
    Ok(made)
}

fn offers(what: &str) -> Offers<'static> {
    let skip = match what {
        "downtime" => "go on without a downtime: Icinga will alarm somebody",
        _ => "go on without a silence: Alertmanager will alarm somebody",
    };
    Offers {
        retry: Some("try again"),
        skip: Some(skip),
        abort: "stop here; the machine is as it was",
        ..Offers::default()
    }
}

/// Sets `pooled` and registers how to set it back, for whatever was changed.
fn depool(asked: &Asked, machine: &Machine, step: &mut Step) -> Result<Vec<FollowUp>, Fault> {
    let value = asked.depool_to.as_deref().unwrap_or_default();
    let before = conftool::get_objects()?;
    if before.is_empty() {
        return Err(no_objects(&machine.device.fqdn));
    }
    let set = conftool::set_pooled(value);
    let changed = match &set {
        // Not the answer of the call: made again after a crash, it lists what it has set itself.
        Ok(_) => before
            .iter()
            .filter(|object| object.pooled != value)
            .cloned()
            .collect(),
        // Some may have been set before it failed, and the host is taken out of them.
        Err(fault) if fault.is(FaultKind::Cancelled) => Vec::new(),
        // When nobody can tell what they are now, the operator has to look at each.
        Err(_) => match conftool::get_objects() {
            Ok(now) => changed(&before, &now),
            Err(_) => before.clone(),
        },
    };
    let mut repool = pooled_before(&machine.device.fqdn, &changed, value);
    // In these it did not serve before, perhaps because an earlier run has depooled it.
    repool.extend(out_of_service(&machine.device.fqdn, &before, step));
    repool.iter().for_each(FollowUp::add);
    set?;
    is_depooled(&machine.device.fqdn, value)?;
    step.says(format!("set pooled={value} in {} services", changed.len()));
    for object in &changed {
        step.evidence("before", object);
    }
    if changed.is_empty() {
        step.says("no service was changed");
    }
    Ok(repool)
}

/// Reads the services back: one that is reported as set is not always set, and a host that serves must not be wiped.
fn is_depooled(fqdn: &str, value: &str) -> Result<(), Fault> {
    let now = retry_if_worth(policy::ASK_SERVICE, |_| conftool::get_objects())?;
    let still: Vec<String> = now
        .iter()
        .filter(|object| object.pooled != value)
        .map(|object| format!("{} (pooled={})", object.service, object.pooled))
        .collect();
    if still.is_empty() {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Rejected,
        "reimage.not-depooled",
        "conftool",
        format!(
            "conftool has taken pooled={value} for {fqdn}, and shows otherwise: {}. The machine is as it was.",
            still.join(", ")
        ),
    ))
}

/// A new host is not depooled. One that an earlier run has depooled is called new by the next run, and must not be
/// forgotten.
fn look_at_new(machine: &Machine, step: &mut Step) -> Result<Vec<FollowUp>, Fault> {
    let found = conftool::get_objects();
    let Some(objects) = step.tolerates("conftool could not be asked", found)? else {
        return Ok(Vec::new());
    };
    if objects.is_empty() {
        step.skips("a new host is in no service");
        return Ok(Vec::new());
    }
    step.warns("--new: not depooled, although conftool has services of it");
    for object in &objects {
        step.evidence("service", object);
    }
    let idle = out_of_service(&machine.device.fqdn, &objects, step);
    idle.iter().for_each(FollowUp::add);
    Ok(idle)
}

/// How to pool what is not pooled already: an earlier run may have depooled it.
fn out_of_service(fqdn: &str, objects: &[PoolObject], step: &mut Step) -> Vec<FollowUp> {
    let idle = idle(fqdn, objects);
    for service in &idle {
        step.warns(&service.text);
    }
    idle
}

/// The objects as they were before, of those that have another value now.
fn changed(before: &[PoolObject], now: &[PoolObject]) -> Vec<PoolObject> {
    let key = |object: &PoolObject| {
        let PoolObject {
            dc,
            cluster,
            service,
            ..
        } = object.clone();
        (dc, cluster, service)
    };
    before
        .iter()
        .filter(|object| {
            now.iter()
                .any(|n| key(n) == key(object) && n.pooled != object.pooled)
        })
        .cloned()
        .collect()
}

/// `--conftool` for a host that is in no service.
pub fn no_objects(fqdn: &str) -> Fault {
    Fault::new(
        FaultKind::NotFound,
        "reimage.no-services",
        "conftool",
        format!(
            "--conftool was set, but no objects were found for {fqdn}: it is in no service. Check the name, or run without \
             --conftool."
        ),
    )
}

/// Best effort: the agent of a host that is down cannot be disabled, and need not be.
fn disable_puppet(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    let reason = asked.reason();
    let disabled = puppet::disable(&reason);
    let failed = "Unable to disable Puppet, the host may have been unreachable";
    if step.tolerates(failed, disabled)?.is_some() {
        step.says(format!("with the reason `{reason}`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_only_what_was_changed_is_to_be_set_back() {
        let object = |service: &str, pooled: &str| PoolObject {
            dc: "d".to_owned(),
            cluster: "c".to_owned(),
            service: service.to_owned(),
            pooled: pooled.to_owned(),
            weight: 1,
            extra: Vec::new(),
        };
        let before = [
            object("a", "yes"),
            object("b", "yes"),
            object("c", "inactive"),
        ];
        let now = [
            object("a", "inactive"),
            object("b", "yes"),
            object("c", "inactive"),
        ];
        assert_eq!(changed(&before, &now), [object("a", "yes")]);
    }
}
