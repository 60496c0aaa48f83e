//! Whether the host is new, and what follows for its services.

use super::UNTOUCHED;
use crate::options::Asked;
use crate::{doubt, drain, policy, repool};
use wreimage_sdk::netbox::Device;
use wreimage_sdk::{Fault, FaultKind, Step, conftool, puppetdb, retry_if_worth};

/// Whether PuppetDB knows the host, which `--new` must not contradict.
///
/// # Errors
/// When PuppetDB cannot be asked, or `--new` contradicts it and the operator does not continue.
pub fn known(asked: &Asked, device: &Device, step: &mut Step) -> Result<bool, Fault> {
    let fqdn = &device.fqdn;
    let is_known = retry_if_worth(policy::ASK_SERVICE, |_| puppetdb::is_known())
        .map_err(|fault| fault.and(UNTOUCHED))?;
    let differs = |message: String| {
        Fault::new(
            FaultKind::Conflict,
            "reimage.new-or-not",
            "PuppetDB",
            message,
        )
    };
    match (is_known, asked.new) {
        (true, false) => step.says(format!("PuppetDB knows {fqdn}")),
        (false, true) => step.says(format!("PuppetDB does not know {fqdn}: it is new")),
        (true, true) => {
            let doubt = differs(format!(
                "--new was set, but PuppetDB knows {fqdn}: it is not new. To go on means to go on without \
                 --new{}.",
                without_new(asked)
            ));
            doubt::confirm(doubt, "Run again without --new.", asked.force, step)
                .map_err(|fault| fault.and(UNTOUCHED))?;
            step.says("--new is unset");
        }
        (false, false) => {
            return Err(differs(format!(
                "PuppetDB does not know {fqdn}. {UNTOUCHED} Check the name. If the host is new, or an earlier run has removed it \
                 from PuppetDB already, run again with --new."
            )));
        }
    }
    Ok(is_known)
}

/// What is done to a host that is not new, with these options and at this site.
fn without_new(asked: &Asked) -> String {
    let downtime = !asked.no_downtime && asked.lacks(&["icinga"]).is_none();
    let silence = !asked.no_downtime && asked.lacks(&["alertmanager"]).is_none();
    let depool = drain::no_depool(asked).is_none();
    let disable = asked.lacks(&["puppet"]).is_none();
    let done: Vec<&str> = [
        (downtime, "a downtime"),
        (silence, "a silence"),
        (depool, "a depool"),
        (disable, "Puppet disabled"),
    ]
    .into_iter()
    .filter_map(|(is_done, what)| is_done.then_some(what))
    .collect();
    match done.split_last() {
        None => String::new(),
        Some((last, [])) => format!(", with {last}"),
        Some((last, before)) => format!(", with {} and {last}", before.join(", ")),
    }
}

/// Checks that a new host serves nothing: it is not depooled, and would be taken down while it serves.
///
/// # Errors
/// When conftool cannot be asked, or has the host pooled and the operator does not continue.
pub fn serves_nobody(asked: &Asked, device: &Device, step: &mut Step) -> Result<(), Fault> {
    let objects = retry_if_worth(policy::ASK_SERVICE, |_| conftool::get_objects())
        .map_err(|fault| fault.and(UNTOUCHED))?;
    for object in &objects {
        step.evidence("service", object);
    }
    let pooled: Vec<String> = objects
        .iter()
        .filter(|object| object.pooled == "yes")
        .map(|object| format!("{} ({}, {})", object.service, object.cluster, object.dc))
        .collect();
    if objects.is_empty() {
        step.says("it is in no service, and as a new host need not be");
        return Ok(());
    }
    if pooled.is_empty() {
        step.says("pooled in none of its services");
        return Ok(());
    }
    let doubt = Fault::new(
        FaultKind::Conflict,
        "reimage.new-but-pooled",
        "conftool",
        format!(
            "conftool has {} pooled in {}, and --new does not depool: it would be taken down while it serves.",
            device.fqdn,
            pooled.join(", ")
        ),
    );
    let value = asked.depool_to.as_deref().unwrap_or_default();
    let instead = format!(
        "Depool it by hand with `{}`, then run again.",
        repool::depool(&device.fqdn, value)
    );
    doubt::confirm(doubt, &instead, asked.force, step).map_err(|fault| fault.and(UNTOUCHED))
}

/// Checks that there is something to depool.
///
/// # Errors
/// When conftool cannot be asked, or has no object of the host.
pub fn has_services(device: &Device, step: &mut Step) -> Result<(), Fault> {
    let objects = retry_if_worth(policy::ASK_SERVICE, |_| conftool::get_objects())
        .map_err(|fault| fault.and(UNTOUCHED))?;
    if objects.is_empty() {
        return Err(drain::no_objects(&device.fqdn).and(UNTOUCHED));
    }
    step.says(format!("{} services", objects.len()));
    for object in &objects {
        step.evidence("service", object);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::request;

    #[test]
    fn the_question_about_new_promises_what_will_be_done() {
        let promises = |given: &[(&str, &str)], absent: &[&str]| {
            let os = [("os", "bullseye")];
            let mut request = request(&[&os, given].concat());
            request.absent = absent.iter().map(|name| (*name).to_owned()).collect();
            without_new(&Asked::from_request(&request).unwrap())
        };
        assert_eq!(
            promises(&[], &[]),
            ", with a downtime, a silence and Puppet disabled"
        );
        assert_eq!(
            promises(&[("conftool", "true"), ("no-downtime", "true")], &[]),
            ", with a depool and Puppet disabled"
        );
        let all = [("no-downtime", "true"), ("no-pxe", "true")];
        assert_eq!(promises(&all, &[]), ", with Puppet disabled");
        assert_eq!(promises(&all, &["puppet"]), "");
        let site = ["icinga", "alertmanager"];
        assert_eq!(promises(&[], &site), ", with Puppet disabled");
    }
}
