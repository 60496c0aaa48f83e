//! The boots that a run has seen at the installer identity, and their host keys.

use super::Ledger;
use std::sync::Arc;
use wreimage_capability::role::{Boot, Login, MachineIdentity};
use wreimage_capability::{Catalogue, PinnedBoot, Role};
use wreimage_journal::{AcceptedBoot, Entry, Origin, Outcome, Reality, Record};

/// A host key that a run recorded here accepted at the installer identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedKey {
    /// The run.
    pub run: String,
    /// SHA-256 fingerprint of the key.
    pub host_key: String,
}

/// Looks up the host key that an earlier run accepted for this host at the installer identity in the boot with this ID.
pub type RecordedKeys = Arc<dyn Fn(&str) -> Option<RecordedKey> + Send + Sync>;

/// A boot whose host key nothing confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnconfirmedBoot {
    pub(crate) host_key: String,
    /// Which machine answered there.
    pub(crate) machine: Option<MachineIdentity>,
}

/// The boot that a wait has seen at the installer identity, with its host key.
fn installer_boot(boot: Boot) -> Option<PinnedBoot> {
    let host_key = boot.host_key?;
    (boot.at == Login::Installer).then_some(PinnedBoot {
        boot_id: boot.id,
        host_key,
    })
}

/// The host key that a run with these records accepted at the installer identity in the boot with this ID: one that it saw
/// in a wait and after which it continued, or that was confirmed or consented to. A rehearsal accepts none.
pub fn accepted_key(entries: &[Entry], boot_id: &str) -> Option<String> {
    accepted_key_of(Catalogue::default(), entries, boot_id)
}

pub(crate) fn accepted_key_of(
    catalogue: Catalogue,
    entries: &[Entry],
    boot_id: &str,
) -> Option<String> {
    let (mut shown, mut waited, mut accepted) = (None, None, None);
    for entry in entries {
        match &entry.record {
            Record::Header(header) if header.dry_run => return None,
            Record::BootPinned(boot) if boot.boot_id == boot_id => match boot.known_by {
                Some(_) => accepted = Some(boot.host_key.clone()),
                None => shown = Some(boot.host_key.clone()),
            },
            Record::Consented { .. } => accepted = shown.take().or(accepted),
            // The guest continues only when the machine was the right one.
            Record::Intent(intent) if intent.origin == Origin::Guest => {
                accepted = waited.take().or(accepted);
            }
            Record::Outcome(outcome) if outcome.origin == Origin::Guest => {
                accepted = waited.take().or(accepted);
                waited = seen_in_wait(catalogue, outcome)
                    .filter(|boot| boot.boot_id == boot_id)
                    .map(|boot| boot.host_key);
            }
            _ => {}
        }
    }
    accepted
}

fn seen_in_wait(catalogue: Catalogue, outcome: &Outcome) -> Option<PinnedBoot> {
    let function = catalogue.function(&outcome.function)?;
    let read = function.role(Role::awaits_boot)?;
    let answer = outcome.result.as_ref().ok();
    let answer = answer.filter(|_| outcome.reality == Reality::Real)?;
    installer_boot(read(answer)?)
}

impl Ledger {
    /// A wait has seen another boot: at the installer identity its host key is the one from here on.
    pub(super) fn apply_awaited_boot(&mut self, boot: Boot) {
        self.is_at_installer = boot.at == Login::Installer;
        if self.is_at_installer {
            self.pinned = installer_boot(boot).map(Arc::new);
            self.awaits_key = self.pinned.is_none();
        }
    }

    /// A boot was accepted that answered at the installer identity before the run waited for one.
    pub(super) fn apply_first_boot(&mut self, boot: AcceptedBoot) {
        let is_awaited = std::mem::take(&mut self.awaits_key);
        let is_shown = boot.known_by.is_none() && !is_awaited;
        self.unconfirmed = is_shown.then(|| UnconfirmedBoot {
            host_key: boot.host_key.clone(),
            machine: None,
        });
        self.pinned = Some(Arc::new(PinnedBoot {
            boot_id: boot.boot_id,
            host_key: boot.host_key,
        }));
    }

    /// A machine has reported at the installer identity which one it is.
    pub(super) fn apply_machine(&mut self, machine: MachineIdentity) {
        if let Some(boot) = &mut self.unconfirmed {
            boot.machine.get_or_insert(machine);
        }
    }
}
