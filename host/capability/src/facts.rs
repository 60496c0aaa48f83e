//! What a run has seen that decides whether taking something back is still right.

use crate::Function;
use crate::role::{Boot, Login, Role};
use serde_json::Value;
use std::sync::Arc;
use wreimage_facts::installer::INSTALLER_MARKS;

/// Whether an inverse may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Take it back.
    Now,
    /// Leave it; the text says why and what to do.
    Leave(&'static str),
    /// It went by itself; the text says how.
    Gone(&'static str),
}

/// Grows from the outcomes of calls as they pass the gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The inventory says that the machine starts by UEFI.
    pub uefi: bool,
    /// A power command or a reboot has been tried: what was set for the next boot may be in use.
    pub restarted: bool,
    /// The installer has answered since, with this boot id.
    pub installer: Option<String>,
    /// A system that is not the installer has answered since.
    pub system_up: bool,
    /// An installer has answered at some time: the system that was there before is gone.
    pub wiped: bool,
    /// The BMC has reported since the last restart that it holds no boot override.
    pub override_gone: bool,
    marks: InstallerMarks,
}

/// The texts on a kernel command line by which an installer is told from an installed system. A site that installs something
/// else than Debian has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallerMarks(Arc<[String]>);

impl InstallerMarks {
    /// These texts; one of them is enough.
    pub fn new(marks: impl IntoIterator<Item = String>) -> Self {
        InstallerMarks(marks.into_iter().collect())
    }

    /// Whether a kernel command line is that of an installer.
    pub fn is_installer(&self, kernel_command_line: &str) -> bool {
        self.0.iter().any(|mark| kernel_command_line.contains(mark))
    }

    /// The texts, when they are not those of Debian's installer, which every guest knows.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        let texts = self.0.iter().map(String::as_str);
        texts.filter(|_| *self != InstallerMarks::default())
    }
}

/// Those of Debian's installer: PXELINUX names the boot image, iPXE only the preseed file.
impl Default for InstallerMarks {
    fn default() -> Self {
        InstallerMarks::new(INSTALLER_MARKS.map(str::to_owned))
    }
}

impl Facts {
    /// Nothing is seen yet; an installer is known by these marks.
    pub fn of(marks: InstallerMarks) -> Self {
        Facts {
            marks,
            ..Facts::default()
        }
    }

    /// Learns from a call that is about to be tried: a restart that ends in doubt may have happened.
    pub fn foresee(&mut self, function: &Function) {
        if function.changes_power() {
            self.restarted = true;
            self.installer = None;
            self.system_up = false;
        }
        if function.changes_power() || function.sets_override() {
            self.override_gone = false;
        }
    }

    /// Learns from a call that succeeded.
    pub fn observe(&mut self, function: &Function, answer: &Value) {
        for role in function.roles {
            match role {
                Role::Inventory(read) => {
                    if let Some(snapshot) = read(answer) {
                        self.uefi = snapshot.is_uefi();
                    }
                }
                Role::ReportsOverride(read) => {
                    if let Some(there) = read(answer) {
                        self.override_gone = self.system_up && !there.is_set;
                    }
                }
                Role::AwaitsBoot(read) => {
                    if let Some(boot) = read(answer) {
                        self.observe_boot(boot);
                    }
                }
                _ => {}
            }
        }
    }

    fn observe_boot(&mut self, boot: Boot) {
        if boot.at == Login::Installer && self.marks.is_installer(&boot.kernel_command_line) {
            self.installer = Some(boot.id);
            self.wiped = true;
            self.system_up = false;
        } else {
            self.system_up = true;
        }
    }

    /// An override on UEFI must not be touched while an installer may be running, whether it has answered or not: clearing
    /// it makes some firmware forget the entry that GRUB has just written.
    pub fn boot_override_may_go(&self) -> Validity {
        if self.override_gone {
            Validity::Gone("the BMC holds none any more")
        } else if self.uefi && self.restarted && !self.system_up {
            Validity::Leave(
                "the installer may still be running and clearing the override on UEFI can lose the boot entry of the new \
                 system; clear it when the system is up",
            )
        } else {
            Validity::Now
        }
    }

    /// What was done to the old system is gone with it.
    pub fn until_wiped(&self) -> Validity {
        if self.wiped {
            Validity::Gone("the system that it was done to has been wiped")
        } else {
            Validity::Now
        }
    }

    /// Taking back is right at any time.
    pub fn always(&self) -> Validity {
        Validity::Now
    }
}
