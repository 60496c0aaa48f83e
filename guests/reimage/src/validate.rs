//! Pre-reimage validation: everything that can be known before anything is touched.

mod device;
mod new_host;

use crate::boot::identity_name;
use crate::machine::{Machine, System};
use crate::options::Asked;
use crate::{comment, doubt, drain, policy, release, releases};
use device::{complete, own_site, physical_device};
use new_host::{has_services, known, serves_nobody};
use std::net::IpAddr;
use wreimage_facts::code;
use wreimage_sdk::dns::{self, HostName};
use wreimage_sdk::ipmi::{self, PowerState};
use wreimage_sdk::netbox::{self, Device};
use wreimage_sdk::remote::{self, Identity};
use wreimage_sdk::{Actions, Fault, FaultKind, Step, phabricator, puppet, retry_if_worth, text};

/// Name of the phase.
pub const PHASE: &str = "validate";

const UNTOUCHED: &str = "Nothing was touched.";

/// Looks at everything and changes nothing.
///
/// # Errors
/// What would stop the reimage half-way: it is found out here.
pub fn run(asked: &Asked, actions: &mut Actions) -> Result<Machine, Fault> {
    let mut phase = actions.phase(PHASE);

    let device = phase.value(
        "Ensure the host to reimage is a physical host",
        physical_device,
    )?;
    phase.step("Ensure the host belongs to this site", |step| {
        own_site(asked, &device, step)
    })?;
    let management = phase.value("Ensure the inventory has what a reimage needs", |step| {
        complete(&device, step)
    })?;
    let found = phase.step_unless(
        "Ensure that the host exists in PuppetDB, or does not if --new is set",
        asked.lacks(&["puppetdb"]),
        |step| known(asked, &device, step),
    )?;
    phase.step(
        "Check that both the host and its management DNS names resolve correctly",
        |step| names_resolve(asked, &device, &management, step),
    )?;
    let power = phase.value(
        "Check that the host's IPMI is reachable and it's possible to execute commands",
        |step| bmc_answers(&management, step),
    )?;
    phase.step_unless(
        "Check that the Phabricator task exists",
        comment::no_task(asked),
        |step| task_exists(asked, step),
    )?;
    // Without PuppetDB the operator's word is all there is.
    let is_new = found.map_or(asked.new, |is_known| !is_known);
    phase.step_unless(
        "Check that conftool has services of the host to depool",
        drain::no_depool(asked),
        |step| {
            if is_new {
                serves_nobody(asked, &device, step)
            } else {
                has_services(&device, step)
            }
        },
    )?;
    let nothing_installed = asked
        .no_pxe
        .then(|| "--no-pxe: nothing is installed".to_owned());
    let releases = phase.step_unless(
        "Check that the install server has the OS and its boot media",
        nothing_installed.or_else(|| asked.lacks(&["dhcp"])),
        |step| releases::check(asked, step),
    )?;
    phase.step(
        "Determine how the DHCP server will recognise the host",
        |step| dhcp_match(asked, step),
    )?;
    let boot = phase.value("Record which boot of the host runs now", |step| {
        present_boot(&power, step)
    })?;
    let installs = (!asked.no_pxe).then(|| "--no-pxe is not set".to_owned());
    let present = phase.step_unless(
        "Verify that the host runs the requested OS if --no-pxe is set",
        installs.clone(),
        |step| release::verify_present(asked, step).map_err(|fault| fault.and(UNTOUCHED)),
    )?;
    phase.step_unless(
        "Check that the Puppet agent is not disabled if --no-pxe is set",
        installs.or_else(|| asked.lacks(&["puppet"])),
        |step| agent_may_run(asked, present, step),
    )?;

    Ok(Machine {
        device,
        management,
        answered_at: boot.as_ref().map(|(identity, _)| *identity),
        boot_id: boot.map(|(_, boot_id)| boot_id),
        is_off: power == PowerState::Off,
        is_new,
        releases: releases.flatten(),
        present,
    })
}

/// A task that does not exist is a slip of the hand; a ticket system that does not answer is no reason to stop.
fn task_exists(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    let task = retry_if_worth(policy::ASK_SERVICE, |_| phabricator::get_task());
    if let Err(fault) = &task
        && fault.is(FaultKind::NotFound)
    {
        return Err(fault.clone().and(UNTOUCHED).and("Check --task."));
    }
    let failed = format!(
        "whether {} exists is not known",
        asked.task.as_deref().unwrap_or_default()
    );
    if let Some(task) = step.tolerates(&failed, task)? {
        step.says(format!(
            "{}: {}",
            task.id,
            text::line(&task.title, policy::LINE_LIMIT)
        ));
        step.evidence("status", text::line(&task.status, 40));
    }
    Ok(())
}

fn names_resolve(
    asked: &Asked,
    device: &Device,
    management: &str,
    step: &mut Step,
) -> Result<(), Fault> {
    let host = dns::resolve(HostName::Host).map_err(|fault| fault.and(UNTOUCHED))?;
    step.evidence(&device.fqdn, host.join(" "));
    let bmc = dns::resolve(HostName::Management).map_err(|fault| fault.and(UNTOUCHED))?;
    step.evidence(management, bmc.join(" "));
    let primary = device.primary_ip.as_deref().unwrap_or_default();
    // The installer gets the inventory's address and is then looked for by name.
    if host.iter().any(|address| same_address(address, primary)) {
        step.says(format!("{} is {primary}", device.fqdn));
        return Ok(());
    }
    let doubt = Fault::new(
        FaultKind::Conflict,
        "reimage.address-differs",
        "DNS",
        format!(
            "{} resolves to {}, but the inventory gives it {primary}, and the installer will come up there.",
            device.fqdn,
            host.join(" ")
        ),
    );
    let instead = "Correct DNS or the inventory, then run again.";
    doubt::confirm(doubt, instead, asked.force, step).map_err(|fault| fault.and(UNTOUCHED))
}

fn same_address(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn bmc_answers(management: &str, step: &mut Step) -> Result<PowerState, Fault> {
    let power = retry_if_worth(policy::ASK_BMC, |_| ipmi::get_power_state())
        .map_err(|fault| fault.and(UNTOUCHED))?;
    if let PowerState::Unknown(answer) = &power {
        return Err(Fault::new(
            FaultKind::Rejected,
            "reimage.power-unknown",
            format!("BMC {management}"),
            format!(
                "{management} does not say whether the machine is on or off: {answer}. {UNTOUCHED} Look at the BMC \
                 itself; often a reset of the BMC helps."
            ),
        ));
    }
    let flags = retry_if_worth(policy::ASK_BMC, |_| ipmi::get_boot_flags())
        .map_err(|fault| fault.and(UNTOUCHED))?;
    step.says(format!("the machine is {power}"));
    step.evidence("boot flags", &flags);
    Ok(power)
}

fn dhcp_match(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    if asked.no_pxe {
        step.skips("--no-pxe: nothing is booted from the network");
        return Ok(());
    }
    let port = retry_if_worth(policy::ASK_SERVICE, |_| netbox::get_switch_port())
        .map_err(|fault| fault.and(UNTOUCHED))?;
    step.says(format!(
        "by its switch port: {} of {}, VLAN {}",
        port.port, port.switch_name, port.vlan
    ));
    Ok(())
}

/// Which boot runs now proves later that another one is new. Best effort: a dead or a new machine is reimaged as well, and
/// then its uptime must do.
fn present_boot(power: &PowerState, step: &mut Step) -> Result<Option<(Identity, String)>, Fault> {
    // An installer's key that cannot be used would be noticed only when the machine is wiped and nobody can enter it.
    if let Err(fault) = remote::get_boot_id(Identity::Installer)
        && code::OWN_KEY.contains(&fault.code.as_str())
    {
        return Err(fault.and(UNTOUCHED));
    }
    if *power == PowerState::Off {
        step.says("none: the machine is off");
        return Ok(None);
    }
    // A system that an earlier run has left half-way lets in only the installer's key.
    for identity in [Identity::Production, Identity::Installer] {
        let name = identity_name(identity);
        match remote::get_boot_id(identity) {
            Ok(boot_id) => {
                step.says(format!("a system answers at the {name} identity"));
                step.evidence("boot id", &boot_id);
                return Ok(Some((identity, boot_id)));
            }
            Err(fault) if fault.is(FaultKind::Cancelled) => return Err(fault),
            Err(fault) => step.evidence(&format!("{name} identity"), &fault.message),
        }
    }
    step.says("unknown: no system lets us in; the next boot will be told by its uptime");
    Ok(None)
}

/// A disabled agent asks for no certificate. One that an earlier run of this reimage has disabled is enabled by this run; one
/// that a person has disabled stays disabled, and the run would end half-way.
fn agent_may_run(asked: &Asked, present: Option<System>, step: &mut Step) -> Result<(), Fault> {
    let Some(system) = present else {
        return Ok(());
    };
    let state = retry_if_worth(policy::ASK_SERVICE, |_| puppet::get_state(system.identity));
    let failed = "whether the Puppet agent is disabled is not known";
    let Some(state) = step.tolerates(failed, state)? else {
        return Ok(());
    };
    let reason = state.reason.unwrap_or_default();
    if state.enabled {
        step.says("it is enabled");
        return Ok(());
    }
    if reason == asked.reason() {
        step.says("an earlier run of this reimage has disabled it; this run enables it");
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Conflict,
        "reimage.agent-disabled",
        &asked.host,
        format!(
            "the Puppet agent on {host} is disabled with the reason {reason:?}, and a disabled agent asks for no certificate. \
             {UNTOUCHED} Find out why; then enable it on {host} with `sudo puppet agent --enable`, and run again.",
            host = asked.host,
            reason = text::line(&reason, policy::LINE_LIMIT),
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_many_spellings() {
        assert!(same_address("2001:db8::1", "2001:0DB8:0:0::1"));
        assert!(same_address("10.0.0.1", "10.0.0.1"));
        assert!(!same_address("10.0.0.1", "10.0.0.10"));
    }
}
