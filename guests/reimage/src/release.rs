//! Which release of the OS runs.

use crate::boot::identity_name;
use crate::machine::System;
use crate::options::Asked;
use crate::{doubt, policy};
use wreimage_facts::code;
use wreimage_sdk::remote::{self, Identity, OsRelease};
use wreimage_sdk::{Fault, FaultKind, Step, retry};

/// The code of the fault of a system that is of another release than the requested one.
pub const WRONG: &str = "reimage.wrong-release";

/// The freshly installed OS must be the one that was asked for.
///
/// # Errors
/// `rejected` (code `reimage.wrong-release`) when it is another one.
pub fn verify_installed(asked: &Asked, step: &mut Step) -> Result<(), Fault> {
    let found = retry(policy::READ_FROM_NEW_SYSTEM, |_| {
        remote::get_os_release(Identity::Installer)
    })?;
    verify(
        asked,
        &found,
        "The installation is complete but of the wrong release. Check what the boot path and the mirror serve under that \
         name, then reimage again.",
        step,
    )
}

/// With `--no-pxe` the OS must be there already. Returns where it answers.
///
/// # Errors
/// As [`verify_installed`]; `unreachable` when no system lets us in; `conflict` when an installer runs.
pub fn verify_present(asked: &Asked, step: &mut Step) -> Result<System, Fault> {
    let mut refusals = Vec::new();
    let mut is_key_unknown = false;
    // A system that is installed and not enrolled lets in only the installer's key.
    for identity in [Identity::Installer, Identity::Production] {
        let line = match remote::get_kernel_command_line(identity) {
            Ok(line) => line,
            Err(fault) if fault.is(FaultKind::Cancelled) => return Err(fault),
            Err(fault) => {
                is_key_unknown |= fault.code == code::HOST_KEY;
                refusals.push(format!("{}: {}", identity_name(identity), fault.message));
                continue;
            }
        };
        step.evidence("kernel command line", &line);
        step.evidence("identity", identity_name(identity));
        // An installed system can have the installer's words there; an installer never lets in the site's key.
        let release = remote::get_os_release(identity);
        if asked.is_installer(&line) && identity == Identity::Installer && release.is_err() {
            return Err(Fault::new(
                FaultKind::Conflict,
                "reimage.installer-runs",
                &asked.host,
                format!(
                    "--no-pxe goes on with an installed OS, but {} runs the Debian installer (`{line}`). Wait until it has \
                     finished, or reimage without --no-pxe.",
                    asked.host
                ),
            ));
        }
        step.evidence("boot id", remote::get_boot_id(identity)?);
        let found = release?;
        verify(
            asked,
            &found,
            "Reimage without --no-pxe to install it.",
            step,
        )?;
        return Ok(System { identity });
    }
    Err(Fault::new(
        FaultKind::Unreachable,
        "reimage.no-system",
        &asked.host,
        format!(
            "--no-pxe continues with an installed OS, but no system lets us in at {host} ({refusals}). {advice}",
            host = asked.host,
            refusals = refusals.join("; "),
            advice = if is_key_unknown {
                "A system answers there, and this machine does not know its host key. If it is the system that an earlier run \
                 has installed, run Puppet on this machine, so that it learns the key, then run again with --no-pxe: nothing \
                 needs to be installed anew. Or compare the key at its console (`ssh-keygen -lf`), and give its fingerprint with \
                 --host-key."
            } else {
                "Look at its console. Reimage without --no-pxe if no system is installed there."
            },
        ),
    ))
}

fn verify(asked: &Asked, found: &OsRelease, advice: &str, step: &mut Step) -> Result<(), Fault> {
    step.evidence("release", &found.pretty_name);
    if found.codename == asked.os {
        step.says(&found.pretty_name);
        return Ok(());
    }
    if found.codename.is_empty() {
        let doubt = Fault::new(
            FaultKind::Rejected,
            "reimage.release-doubtful",
            &asked.host,
            format!(
                "{} runs `{}`, which does not tell its code name; {} was requested.",
                asked.host, found.pretty_name, asked.os
            ),
        );
        let instead = "Look at its /etc/os-release; if it is the right one, go on with --no-pxe at a terminal.";
        return doubt::confirm(doubt, instead, asked.force, step);
    }
    Err(Fault::new(
        FaultKind::Rejected,
        WRONG,
        &asked.host,
        format!(
            "{} runs {} ({}), but {} was requested. {advice}",
            asked.host, found.codename, found.pretty_name, asked.os
        ),
    ))
}
