//! The installation: boot the installer from the network once, let it install, see the new OS up.

mod booted;

use crate::boot;
use crate::machine::{Machine, System};
use crate::options::Asked;
use crate::progress::Progress;
use crate::{boot_override, policy, release};
use wreimage_sdk::dhcp::{self, BootMethod, Entry, MatchKind, Published};
use wreimage_sdk::ipmi::{self, PowerAction, PowerState};
use wreimage_sdk::remote::{self, Answering, Boot, BootReference, Identity};
use wreimage_sdk::{Actions, Fault, FaultKind, Phase, Step, clock, retry, retry_if_worth};

/// Name of the phase.
pub const PHASE: &str = "install";

const NOT_RESTARTED: &str =
    "The machine was not restarted: its old system and its data are as they were.";

/// Wipes the machine and installs it, unless it continues with the OS that is present. Returns where the OS answers.
///
/// # Errors
/// What stopped it, and in which state it left the machine. The host undoes the DHCP entry and the boot override.
pub fn run(
    asked: &Asked,
    machine: &Machine,
    progress: &mut Progress,
    actions: &mut Actions,
) -> Result<System, Fault> {
    let mut phase = actions.phase(PHASE);
    if let Some(system) = machine.present {
        // One line says it for the whole phase.
        phase.step(
            "Generate a temporary DHCP snippet on the install server and restart the DHCP server",
            |step| {
                step.skips("--no-pxe: nothing is installed");
                Ok(())
            },
        )?;
        remove_old_entry(asked, &mut phase)?;
        return Ok(system);
    }

    let entry = phase.value(
        "Generate a temporary DHCP snippet on the install server and restart the DHCP server",
        |step| publish(asked, machine, step),
    )?;
    phase.step("Force next boot to go via PXE via IPMI", |step| {
        boot_override::force_network(machine, step).map_err(|fault| fault.and(NOT_RESTARTED))
    })?;
    let restarted = phase.value("Reboot the host via IPMI", |step| restart(machine, step))?;
    let installer = phase.long_value(
        "Poll until the host is reachable",
        policy::RESTART_USUALLY,
        |step| wait_for_installer(asked, machine, &restarted, step),
    )?;
    let is_over = phase.value(
        "Verify that the host has rebooted into the Debian installer",
        |step| booted::verify_installer(asked, machine, &installer, &entry, step),
    )?;
    phase.step(
        "Remove the PXE boot override while the installer runs",
        |step| boot_override::clear_during_installation(machine, step),
    )?;
    let new_os = phase.long_value(
        "Poll until the host gets rebooted by the Debian installer into the new OS",
        policy::INSTALLATION_USUALLY,
        |step| {
            if is_over {
                step.says("it is up already");
                return Ok(installer.clone());
            }
            wait_for_new_os(asked, machine, &installer, step)
        },
    )?;
    phase.step(
        "Verify that the host has rebooted into a new OS and not again into the Debian installer",
        |step| booted::verify_not_installer(asked, machine, &installer, &new_os, step),
    )?;
    progress.change(asked, |it| it.is_installed = true);
    let right = phase.step("Verify that the new OS is the requested one", |step| {
        release::verify_installed(asked, step)
    });
    if right.as_ref().is_err_and(|it| it.code == release::WRONG) {
        progress.change(asked, |it| it.is_installed = false);
    }
    right?;
    phase.step("Ensure that no PXE boot override is left", |step| {
        boot_override::ensure_normal(machine, step)
    })?;
    phase.step(
        "Delete the temporary DHCP snippet and restart the DHCP server",
        |step| withdraw(&entry, step),
    )?;

    Ok(System {
        identity: new_os.identity,
    })
}

/// An entry that an earlier run could not withdraw would have the machine installed again at its next network boot.
fn remove_old_entry(asked: &Asked, phase: &mut Phase<'_>) -> Result<(), Fault> {
    phase
        .step_unless(
            "Delete the temporary DHCP snippet and restart the DHCP server",
            asked.lacks(&["dhcp"]),
            |step| {
                let find = || retry_if_worth(policy::ASK_SERVICE, |_| dhcp::get_published());
                let Some(old) = find()? else {
                    step.says("there is none");
                    return Ok(());
                };
                retry(policy::WITHDRAW, |_| {
                    dhcp::clear()?;
                    match dhcp::get_published()? {
                        Some(still) => Err(still_there(&still)),
                        None => Ok(()),
                    }
                })?;
                step.warns(format!(
                    "{} for {} was still there, perhaps of an earlier run; it is removed",
                    old.location, old.matches
                ));
                step.evidence("digest of the removed entry", &old.digest);
                Ok(())
            },
        )
        .map(|_| ())
}

/// An entry that is reported as removed and is served all the same would install the host again.
fn still_there(entry: &Published) -> Fault {
    let mut fault = Fault::new(
        FaultKind::Rejected,
        "reimage.entry-still-there",
        "the DHCP server",
        format!(
            "{} was reported as removed and is still there. Remove it by hand: {} would be installed again at its next network \
             boot.",
            entry.location, entry.matches
        ),
    );
    fault.retryable = true;
    fault
}

fn publish(asked: &Asked, machine: &Machine, step: &mut Step) -> Result<Published, Fault> {
    let not_restarted = |fault: Fault| fault.and(NOT_RESTARTED);
    if let Some(old) = dhcp::get_published().map_err(not_restarted)? {
        step.says(format!(
            "replaces an entry of an earlier run, {}",
            old.location
        ));
        step.evidence("digest of the replaced entry", &old.digest);
    }
    let entry = dhcp::publish(&Entry {
        match_by: MatchKind::CircuitId,
        distribution: asked.os.clone(),
        media: asked.media().to_owned(),
        boot: if machine.is_uefi() {
            BootMethod::UefiHttp
        } else {
            BootMethod::PxelinuxHttp
        },
    })
    .map_err(not_restarted)?;
    step.says(format!("{} for {}", entry.location, entry.matches));
    if let Some(media) = &asked.site_media {
        step.says(format!(
            "boot media {media}, by the choice of the site's component"
        ));
    }
    step.evidence("digest of the entry", &entry.digest);
    Ok(entry)
}

/// Restarts the machine and returns the moment before, against which the next boot is new.
fn restart(machine: &Machine, step: &mut Step) -> Result<BootReference, Fault> {
    let power = ipmi::get_power_state().map_err(|fault| fault.and(NOT_RESTARTED))?;
    let action = match &power {
        PowerState::On => PowerAction::Cycle,
        PowerState::Off => PowerAction::On,
        PowerState::Unknown(answer) => {
            let fault = Fault::new(
                FaultKind::Rejected,
                "reimage.power-unknown",
                machine.bmc(),
                format!("it does not say whether the machine is on or off: {answer}"),
            );
            return Err(fault.and(NOT_RESTARTED));
        }
    };
    let before = BootReference {
        boot_id: boot_id_now(machine, action)?,
        time_ms: clock::now_ms()?,
    };
    retry(policy::POWER, |_| ipmi::set_power(action))?;
    step.says(match action {
        PowerAction::Cycle => "power cycle: the machine was on",
        _ => "power on: the machine was off",
    });
    step.evidence(
        "boot id before",
        before.boot_id.as_deref().unwrap_or("unknown"),
    );
    Ok(before)
}

/// The boot id just before the power command. The one from the validation may be old: a prompt may have stood in between,
/// and the operator may have rebooted the machine meanwhile; then its old system would pass for a new boot.
fn boot_id_now(machine: &Machine, action: PowerAction) -> Result<Option<String>, Fault> {
    if machine.boot_id.is_none() || action != PowerAction::Cycle {
        return Ok(machine.boot_id.clone());
    }
    match remote::get_boot_id(Identity::Production) {
        Ok(boot_id) => Ok(Some(boot_id)),
        Err(fault) if fault.is(FaultKind::Cancelled) => Err(fault),
        Err(_) => Ok(machine.boot_id.clone()),
    }
}

fn wait_for_installer(
    asked: &Asked,
    machine: &Machine,
    restarted: &BootReference,
    step: &mut Step,
) -> Result<Boot, Fault> {
    let not_yet = format!(
        "{} was restarted, and no system answers. Look at its console by {}.",
        asked.host, machine.management
    );
    // At either identity, so that the old system is noticed when the machine falls through to its disk.
    let boot = boot::wait(
        restarted,
        Answering::Either,
        policy::RESTARTED,
        &not_yet,
        step,
    )?;
    boot::seen(&boot, step);
    Ok(boot)
}

fn wait_for_new_os(
    asked: &Asked,
    machine: &Machine,
    installer: &Boot,
    step: &mut Step,
) -> Result<Boot, Fault> {
    let not_yet = format!(
        "The installer runs on {} and has not rebooted into a new OS. Look at its console by {}: it may be \
         slow, or stand at a question. If it finishes after this run, go on with --no-pxe.",
        asked.host, machine.management
    );
    let since = BootReference {
        boot_id: Some(installer.boot_id.clone()),
        time_ms: clock::now_ms()?,
    };
    // At either identity: an installer that died before it wrote leaves the old system, which lets in the site's key only.
    let boot = boot::wait(&since, Answering::Either, policy::INSTALLED, &not_yet, step)?;
    boot::seen(&boot, step);
    Ok(boot)
}

fn withdraw(entry: &Published, step: &mut Step) -> Result<(), Fault> {
    let was_there = retry(policy::WITHDRAW, |_| {
        let was_there = dhcp::withdraw()?;
        match dhcp::get_published() {
            Ok(Some(still)) if still.digest == entry.digest => Err(still_there(&still)),
            Ok(_) => Ok(was_there),
            Err(fault) if fault.is(FaultKind::Cancelled) => Err(fault),
            Err(fault) => {
                step.warns(format!(
                    "whether {} is gone could not be read back: {}",
                    entry.location, fault.message
                ));
                Ok(was_there)
            }
        }
    })?;
    if was_there {
        step.says(format!("{} is gone", entry.location));
    } else {
        step.warns(format!(
            "{} was gone already: somebody else has removed it during the installation",
            entry.location
        ));
    }
    step.evidence("digest of the entry", &entry.digest);
    Ok(())
}
