//! Waiting for a boot, and judging which system it brought.

use wreimage_sdk::remote::{self, Answering, Boot, BootReference, Identity};
use wreimage_sdk::{Fault, FaultKind, Offers, Step, WaitPolicy, attempt};

/// Which system a boot brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// The Debian installer.
    Installer,
    /// The system that was there before: it lets in the site's key, which an installer does not have.
    Old,
    /// It lets in the installer's key and does not look like an installer.
    Unclear,
}

/// Judges a boot that follows a forced network boot, and whose kernel command line is that of an installer or not.
pub fn judge(boot: &Boot, is_installer: bool) -> System {
    match boot.identity {
        // An installed system can have the installer's words on its command line: the installer copies some of them.
        Identity::Production => System::Old,
        Identity::Installer if is_installer => System::Installer,
        Identity::Installer => System::Unclear,
    }
}

/// Records that a boot was seen.
pub fn seen(boot: &Boot, step: &mut Step) {
    step.says(format!(
        "up for {} s, at the {} identity",
        boot.uptime_ms / 1000,
        identity_name(boot.identity)
    ));
    step.evidence("boot id", &boot.boot_id);
}

/// The identity in words.
pub fn identity_name(identity: Identity) -> &'static str {
    match identity {
        Identity::Installer => "installer",
        Identity::Production => "production",
    }
}

/// Waits for a boot. At the deadline the operator may wait as long again, any number of times.
///
/// `not_yet` says in a sentence what did not happen, and what to look at.
///
/// # Errors
/// `timeout` when the operator gives up or nobody can be asked, and what [`remote::wait_for_boot`] ends with.
pub fn wait(
    since: &BootReference,
    at: Answering,
    policy: WaitPolicy,
    not_yet: &str,
    step: &mut Step,
) -> Result<Boot, Fault> {
    let longer = format!(
        "wait up to {} minutes more",
        policy.deadline().as_secs() / 60
    );
    let offers = Offers {
        wait: Some(&longer),
        abort: "stop here; the host takes back what it has set, the machine stays as it is",
        ..Offers::default()
    };
    let boot = attempt(&offers, step, |_| {
        remote::wait_for_boot(since, at, policy).map_err(|fault| {
            if fault.is(FaultKind::Timeout) {
                fault.before(not_yet)
            } else {
                fault
            }
        })
    })?;
    // To go on without a boot is not offered.
    boot.ok_or_else(|| Fault::new(FaultKind::Timeout, "reimage.no-boot", "", not_yet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(identity: Identity) -> Boot {
        Boot {
            identity,
            boot_id: "b".to_owned(),
            kernel_command_line: String::new(),
            uptime_ms: 1,
            extra: Vec::new(),
        }
    }

    #[test]
    fn a_system_that_lets_in_the_production_key_is_the_old_one() {
        // The installer leaves some of its own words on the command line of what it installs.
        for is_installer in [true, false] {
            let old = judge(&boot(Identity::Production), is_installer);
            assert_eq!(old, System::Old);
        }
        assert_eq!(judge(&boot(Identity::Installer), true), System::Installer);
        assert_eq!(judge(&boot(Identity::Installer), false), System::Unclear);
    }
}
