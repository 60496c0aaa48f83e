//! Enrolment: the new system asks for a certificate, and exactly that request is signed.

use crate::machine::Machine;
use crate::options::Asked;
use crate::policy;
use wreimage_sdk::{Actions, Fault, FaultKind, Offers, Step, attempt, puppet, puppet_ca};

/// Name of the phase.
pub const PHASE: &str = "enrol";

/// Requests, compares and signs the certificate.
///
/// # Errors
/// When there is no request, or the fingerprint is another one: nothing is signed then.
pub fn run(asked: &Asked, machine: &Machine, actions: &mut Actions) -> Result<(), Fault> {
    let mut phase = actions.phase(PHASE);
    let lacks = || asked.lacks(&["puppet", "puppet-ca"]);

    let ours = phase.step_unless(
        "Generate a Puppet certificate request on the host",
        lacks(),
        |step| {
            if machine.present.is_some() {
                enable(asked, step)?;
            }
            let fingerprint = puppet::request_certificate()?;
            step.says("the host asks for a certificate");
            step.evidence("fingerprint at the host", &fingerprint);
            Ok(fingerprint)
        },
    )?;
    let theirs = phase.step_unless(
        "Poll for the CSR on the active Puppet CA server",
        lacks(),
        wait_for_request,
    )?;
    let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
    phase.step_unless("Verify its fingerprint", lacks(), |step| {
        if !same(&ours, &theirs) {
            return Err(differs(machine, &ours, &theirs));
        }
        step.says("host and CA have the same fingerprint");
        step.evidence("fingerprint", &ours);
        Ok(())
    })?;
    phase
        .step_unless("Sign the new certificate", lacks(), |step| {
            puppet_ca::sign(&ours)?;
            step.says(format!("signed for {}", machine.device.fqdn));
            step.evidence("fingerprint", &ours);
            Ok(())
        })
        .map(|_| ())
}

/// What this run has disabled: a disabled agent asks for no certificate. A system that was just installed needs it not.
fn enable(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    puppet::enable().map_err(|fault| {
        if fault.is(FaultKind::Conflict) {
            fault.and(&format!(
                "A disabled agent asks for no certificate. Find out why; then enable it on {host} with `sudo puppet agent \
                 --enable`, and continue with --no-pxe.",
                host = asked.host
            ))
        } else {
            fault
        }
    })?;
    step.says("Puppet is enabled again");
    Ok(())
}

fn wait_for_request(step: &mut Step) -> Result<String, Fault> {
    let offers = Offers {
        wait: Some("wait as long again"),
        abort: "stop here; nothing is signed",
        ..Offers::default()
    };
    let fingerprint = attempt(&offers, step, |_| {
        puppet_ca::wait_for_request(policy::REQUESTED)
    })?
    .unwrap_or_default();
    step.says("the request is at the CA");
    step.evidence("fingerprint at the CA", &fingerprint);
    Ok(fingerprint)
}

/// Pairs of hexadecimal digits, whatever their case. Two that are not known are not the same.
fn same(ours: &str, theirs: &str) -> bool {
    !ours.is_empty() && ours.eq_ignore_ascii_case(theirs)
}

fn differs(machine: &Machine, ours: &str, theirs: &str) -> Fault {
    let fqdn = &machine.device.fqdn;
    Fault::new(
        FaultKind::Conflict,
        "reimage.fingerprint-differs",
        "Puppet CA",
        format!(
            "the request for {fqdn} at the Puppet CA has the fingerprint {theirs}, but the host has sent {ours}: somebody else \
             asks for a certificate of that name. Nothing was signed. Find out who it is, remove that request, then go on with \
             --no-pxe."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_fingerprint_is_the_same() {
        assert!(same("AA:0B", "aa:0b"));
        assert!(!same("AA:0B", "AA:0C"));
        assert!(!same("", ""));
    }
}
