//! The boot override of the BMC: set once, for one boot, and certainly gone afterwards.

use crate::machine::Machine;
use crate::policy;
use wreimage_sdk::ipmi::{self, BootDevice, BootFlags, BootMode};
use wreimage_sdk::{Fault, FaultKind, Step, retry, retry_if_worth};

/// Makes the next boot a network boot, and reads back that it is.
///
/// # Errors
/// When it never sticks. The machine would boot its disk.
pub fn force_network(machine: &Machine, step: &mut Step) -> Result<(), Fault> {
    let mode = if machine.is_uefi() {
        BootMode::Efi
    } else {
        BootMode::Legacy
    };
    let mut tried = 0;
    let flags = retry(policy::FORCE_NETWORK_BOOT, |attempt| {
        tried = attempt;
        let flags = ipmi::set_boot_device(&BootDevice::Pxe, mode)?;
        check(&flags, machine)?;
        Ok(flags)
    })?;
    step.says(match tried {
        1 => flags.to_string(),
        _ => format!("{flags}, at attempt {tried}"),
    });
    step.evidence("boot flags", flags.raw);
    Ok(())
}

/// Whether these flags boot the installer, and once only.
fn check(flags: &BootFlags, machine: &Machine) -> Result<(), Fault> {
    let wrong = |what: &str| {
        Err(Fault::new(
            FaultKind::Rejected,
            "reimage.boot-device-wrong",
            machine.bmc(),
            format!("it was told to boot from the network once and reads back {flags}: {what}"),
        ))
    };
    if flags.device != BootDevice::Pxe {
        return wrong("another device");
    }
    if flags.efi != machine.is_uefi() {
        return wrong("the other boot mode");
    }
    // With BIOS it is cleared while the installer runs; with UEFI that comes too late for the installer's reboot.
    if flags.persistent && machine.is_uefi() {
        return wrong("for all future boots, so that the installer would start again and again");
    }
    Ok(())
}

/// With BIOS clears the override as soon as the installer runs: a BMC that keeps it would boot the installer again.
/// With UEFI does nothing: some firmware would lose the boot entry that the installer writes.
///
/// # Errors
/// When it cannot be cleared.
pub fn clear_during_installation(machine: &Machine, step: &mut Step) -> Result<(), Fault> {
    if machine.is_uefi() {
        step.skips("on UEFI it is left alone until the new OS is up");
        return Ok(());
    }
    let flags = clear(machine)?;
    step.says(flags.to_string());
    step.evidence("boot flags", flags.raw);
    Ok(())
}

/// Makes sure that the next reboot is an ordinary one.
///
/// # Errors
/// When an override is left that cannot be cleared.
pub fn ensure_normal(machine: &Machine, step: &mut Step) -> Result<(), Fault> {
    let found = retry_if_worth(policy::ASK_BMC, |_| ipmi::get_boot_flags())?;
    step.evidence("boot flags", &found.raw);
    if found.device == BootDevice::None {
        step.says(found.to_string());
        return Ok(());
    }
    let cleared = clear(machine)?;
    step.evidence("boot flags after clearing", &cleared.raw);
    if machine.present.is_some() {
        // Nothing was installed, so this run has neither set nor cleared one before.
        step.warns(format!(
            "an override was set ({found}); cleared, now {cleared}"
        ));
    } else if machine.is_uefi() {
        step.says(format!("was {found}, now {cleared}"));
    } else {
        step.warns(format!(
            "the override had been cleared and was there again ({found}); cleared once more, now {cleared}"
        ));
    }
    Ok(())
}

/// Looks once more just before a restart: between the first look and this one a person may have set an override.
///
/// # Errors
/// As [`ensure_normal`].
pub fn ensure_still_normal(machine: &Machine, step: &mut Step) -> Result<(), Fault> {
    let found = retry_if_worth(policy::ASK_BMC, |_| ipmi::get_boot_flags())?;
    if found.device == BootDevice::None {
        return Ok(());
    }
    let cleared = clear(machine)?;
    step.evidence("boot flags before", &found.raw);
    step.evidence("boot flags after clearing", &cleared.raw);
    step.warns(format!(
        "an override was set since it was last checked ({found}); cleared, now {cleared}"
    ));
    Ok(())
}

fn clear(machine: &Machine) -> Result<BootFlags, Fault> {
    retry(policy::CLEAR_BOOT_OVERRIDE, |_| {
        let flags = ipmi::clear_boot_device()?;
        if flags.device == BootDevice::None {
            return Ok(flags);
        }
        Err(Fault::new(
            FaultKind::Rejected,
            "reimage.boot-device-wrong",
            machine.bmc(),
            format!("it was told to forget the boot override and reads back {flags}"),
        ))
    })
    .map_err(|fault| {
        fault.and(&format!(
            "At its next reboot the machine may start the installer again and wipe itself. Clear the override by hand with \
             `chassis bootdev none` at {}, and check it with `chassis bootparam get 5`.",
            machine.management
        ))
    })
}
