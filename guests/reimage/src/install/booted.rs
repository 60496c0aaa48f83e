//! Which system answers after a restart: the installer, the new OS, or the old system once more.

use crate::machine::Machine;
use crate::options::Asked;
use crate::{boot, doubt, policy};
use wreimage_sdk::dhcp::Published;
use wreimage_sdk::ipmi;
use wreimage_sdk::remote::{self, Boot, Identity, OsRelease};
use wreimage_sdk::{Fault, FaultKind, Step, retry};

/// Whether the installation is over already: a process that was away while the installer ran finds the system that it has
/// installed.
///
/// # Errors
/// That it is neither the installer nor the new system, or that this cannot be known.
pub fn verify_installer(
    asked: &Asked,
    machine: &Machine,
    boot: &Boot,
    entry: &Published,
    step: &mut Step,
) -> Result<bool, Fault> {
    step.evidence("kernel command line", &boot.kernel_command_line);
    match boot::judge(boot, asked.is_installer(&boot.kernel_command_line)) {
        boot::System::Installer => {
            step.says("its kernel command line is the installer's");
            Ok(false)
        }
        boot::System::Old => Err(fell_through(asked, boot, entry, "its old system")),
        boot::System::Unclear => match release_at_installer() {
            // Installed systems have a release file and installers none: two witnesses against the installer. The old system, which
            // let in the site's key, does not let in the installer's.
            Ok(Some(system))
                if machine.answered_at == Some(Identity::Production)
                    && system.codename == asked.os =>
            {
                step.says(format!(
                    "no process has seen the installer; {} answers at the installer identity, where the old system did not",
                    system.pretty_name
                ));
                Ok(true)
            }
            // It is the new system, or what an earlier run has installed and left.
            Ok(Some(system)) if system.codename == asked.os => doubt::confirm(
                Fault::new(
                    FaultKind::Rejected,
                    "reimage.installer-not-seen",
                    &asked.host,
                    format!(
                        "{} answers with {} at the installer identity, and no process has seen the installer (boot id {}): either it \
                         has been installed, or it booted from its disk what an earlier run had installed. Look at its console.",
                        asked.host, system.pretty_name, boot.boot_id
                    ),
                ),
                "If it has been installed, go on with --no-pxe; if not, check DHCP entry, cabling and network boot, and run again.",
                asked.force,
                step,
            )
            .map(|()| true),
            Ok(Some(system)) => Err(fell_through(asked, boot, entry, &system.pretty_name)),
            Ok(None) => doubt::confirm(
                Fault::new(
                    FaultKind::Rejected,
                    "reimage.installer-doubtful",
                    &asked.host,
                    format!(
                        "what answers at {} lets in the installer's key, but its kernel command line is not the Debian \
                         installer's: `{}` (boot id {}). Look at its console before going on.",
                        asked.host, boot.kernel_command_line, boot.boot_id
                    ),
                ),
                "If the installer runs there, let it finish and go on with --no-pxe; if not, run again.",
                asked.force,
                step,
            )
            .map(|()| false),
            Err(fault) => Err(fault),
        },
    }
}

/// The release of the system that lets in the installer's key; none for one without a release file.
fn release_at_installer() -> Result<Option<OsRelease>, Fault> {
    retry(
        policy::READ_FROM_NEW_SYSTEM,
        |_| match remote::get_os_release(Identity::Installer) {
            Ok(system) => Ok(Some(system)),
            Err(fault) if fault.is(FaultKind::NotFound) => Ok(None),
            Err(fault) => Err(fault),
        },
    )
}

fn fell_through(asked: &Asked, boot: &Boot, entry: &Published, system: &str) -> Fault {
    Fault::new(
        FaultKind::Rejected,
        "reimage.fell-through",
        &asked.host,
        format!(
            "{host} came back with {system} and its data: it booted from its disk, not from the network (boot id {boot_id}, \
             kernel command line `{line}`). Nothing was installed. Check that the DHCP server serves {location}, that {host} is cabled \
             to the switch port which the entry names ({matches}), that the install server has the boot path {os}-{media}, and that \
             network boot is enabled in the firmware; then run again.",
            host = asked.host,
            boot_id = boot.boot_id,
            line = boot.kernel_command_line,
            location = entry.location,
            matches = entry.matches,
            os = asked.os,
            media = asked.media(),
        ),
    )
}

/// That what answers after the installation is the new system: neither the installer once more nor the old system.
///
/// # Errors
/// What it is instead, and what to do.
pub fn verify_not_installer(
    asked: &Asked,
    machine: &Machine,
    installer: &Boot,
    boot: &Boot,
    step: &mut Step,
) -> Result<(), Fault> {
    step.evidence("kernel command line", &boot.kernel_command_line);
    if boot.identity == Identity::Production {
        return Err(Fault::new(
            FaultKind::Rejected,
            "reimage.old-system-back",
            &asked.host,
            format!(
                "{host} came back with its old system (boot id {second}): the installer ran (boot id {first}) and ended without \
                 installing. Its data may be whole or not. Look at its console by {management} for the installer's reason, then \
                 run again.",
                host = asked.host,
                second = boot.boot_id,
                first = installer.boot_id,
                management = machine.management,
            ),
        ));
    }
    if !asked.is_installer(&boot.kernel_command_line) {
        step.says("its kernel command line is that of an installed system");
        return Ok(());
    }
    match remote::get_os_release(boot.identity) {
        // The installer copies some of its words to the system that it installs; it has no release itself.
        Ok(release) => {
            let doubt = Fault::new(
                FaultKind::Rejected,
                "reimage.installer-doubtful",
                &asked.host,
                format!(
                    "{} has the installer's words on its kernel command line, and says that it runs {}.",
                    asked.host, release.pretty_name
                ),
            );
            let instead = "Look at its console; if it is the new OS, go on with --no-pxe.";
            return doubt::confirm(doubt, instead, asked.force, step);
        }
        Err(fault) if fault.is(FaultKind::Cancelled) => return Err(fault),
        Err(_) => {}
    }
    let flags = match ipmi::get_boot_flags() {
        Ok(flags) => flags.to_string(),
        Err(fault) if fault.is(FaultKind::Cancelled) => return Err(fault),
        Err(fault) => format!("unreadable: {}", fault.message),
    };
    step.evidence("boot flags", &flags);
    Err(Fault::new(
        FaultKind::Rejected,
        "reimage.installer-again",
        machine.bmc(),
        format!(
            "{host} has booted the Debian installer a second time (boot id {second} after {first}): its BMC kept the boot override, \
             or its firmware boots from the network first. What was just installed is being wiped and installed again. Its boot flags now: {flags}. Nothing more was done. Let \
             it not go on in a loop: power {host} off, clear the override with `chassis bootdev none` at {management}, look at \
             its boot order, then reimage again.",
            host = asked.host,
            second = boot.boot_id,
            first = installer.boot_id,
            management = machine.management,
        ),
    ))
}
