//! What other people and programs have changed while the run was under way: read at its end, so that the report names it.

use crate::finalize::Left;
use crate::machine::Machine;
use crate::options::Asked;
use crate::{certificate, repool};
use wreimage_sdk::conftool::PoolObject;
use wreimage_sdk::remote::Identity;
use wreimage_sdk::{Fault, FaultKind, Step, conftool, puppet, text};

/// Bytes of the reason with which an agent was disabled.
const REASON_LIMIT: usize = 200;

/// Reads the host's services, its Puppet agent and its certificate, as far as this run has changed them.
///
/// # Errors
/// `cancelled`. What cannot be read is a warning.
pub fn report(
    asked: &Asked,
    machine: &Machine,
    left: &Left<'_>,
    step: &mut Step,
) -> Result<(), Fault> {
    step.says("what this run has changed was read again");
    if let Some(value) = &left.drained.depooled_to {
        services(machine, value, step)?;
    }
    if asked.lacks(&["puppet"]).is_none() {
        let at = if left.configured {
            Identity::Production
        } else {
            left.installed
        };
        agent(asked, at, step)?;
        if asked.lacks(&["puppet-ca"]).is_none() {
            certificate::verify(asked, step)?;
        }
    }
    Ok(())
}

fn services(machine: &Machine, value: &str, step: &mut Step) -> Result<(), Fault> {
    let failed = "whether the host is still depooled is not known";
    let Some(now) = step.tolerates(failed, conftool::get_objects())? else {
        return Ok(());
    };
    if let Some(names) = pooled(&now) {
        step.warns(format!(
            "{host} was pooled again in {names}, not by this run. If it shall not serve yet: {command}",
            host = machine.device.name,
            command = repool::depool(&machine.device.fqdn, value)
        ));
    }
    Ok(())
}

/// The services in which the host serves; `None` when there are none.
fn pooled(objects: &[PoolObject]) -> Option<String> {
    let names: Vec<String> = objects
        .iter()
        .filter(|object| object.pooled == "yes")
        .map(|object| format!("{} ({}, {})", object.service, object.cluster, object.dc))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn agent(asked: &Asked, at: Identity, step: &mut Step) -> Result<(), Fault> {
    let failed = "whether the Puppet agent may run is not known";
    let Some(state) = step.tolerates(failed, puppet::get_state(at))? else {
        return Ok(());
    };
    if !state.enabled {
        step.warns(disabled(&asked.host, state.reason.as_deref()));
    }
    Ok(())
}

/// Names an agent that may not run, and a certificate that is not valid, in what Puppet has failed with.
pub fn explain(asked: &Asked, at: Identity, fault: Fault) -> Fault {
    if fault.is(FaultKind::Cancelled) {
        return fault;
    }
    let fault = match puppet::get_state(at) {
        Ok(state) if !state.enabled => fault.and(&disabled(&asked.host, state.reason.as_deref())),
        _ => fault,
    };
    certificate::explain(asked, fault)
}

/// That the first Puppet run has enabled an agent which this run had not disabled.
pub fn enabled(host: &str, reason: &str) -> String {
    format!(
        "Puppet had been disabled on {host}, not by this run (reason: {}); the first Puppet run has enabled it",
        text::line(reason, REASON_LIMIT)
    )
}

/// That the agent of the new system may not run, which this run has not brought about.
pub fn disabled(host: &str, reason: Option<&str>) -> String {
    format!(
        "Puppet was disabled on {host}, not by this run (reason: {}). To enable it: sudo puppet agent --enable",
        text::line(reason.unwrap_or("none"), REASON_LIMIT)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_services_in_which_the_host_serves_are_named() {
        let object = |service: &str, pooled: &str| PoolObject {
            dc: "eqiad".to_owned(),
            cluster: "appserver".to_owned(),
            service: service.to_owned(),
            pooled: pooled.to_owned(),
            weight: 1,
            extra: Vec::new(),
        };
        assert_eq!(pooled(&[object("a", "no"), object("b", "inactive")]), None);
        assert_eq!(
            pooled(&[object("a", "no"), object("b", "yes")]).as_deref(),
            Some("b (appserver, eqiad)")
        );
    }

    #[test]
    fn the_reason_of_another_is_one_line() {
        let said = disabled("host1001", Some("disk\nreplaced"));
        assert!(said.contains("(reason: disk"), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }
}
