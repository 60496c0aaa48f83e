//! A boot at the installer identity for which the run has not waited: an earlier run left its system there.
//!
//! Its host key is accepted when the operator has given it, when an earlier run of this state folder accepted it in the same
//! boot, or when the host's certificate has reported it. Otherwise it is accepted before consent only, and consent shows it.

use crate::gate::course::Course;
use crate::identity::installer::Known;
use crate::ledger::state::State;
use crate::run::stop::Stop;
use std::sync::Arc;
use wreimage_capability::role::{Boot, Login, MachineIdentity};
use wreimage_capability::{Catalogue, Fault, HOST_KEY_REFUSED, OFFERED, PinnedBoot, Role};
use wreimage_journal::{AcceptedBoot, Entry, KnownBy, Origin, Outcome, Reality, Record, Reported};

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
    pub(crate) machine: Option<Reported>,
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

impl State {
    /// A wait has seen another boot: at the installer identity its host key is the one from here on.
    pub(crate) fn learn_awaited_boot(&mut self, boot: Boot) {
        self.is_at_installer = boot.at == Login::Installer;
        if self.is_at_installer {
            self.pinned = installer_boot(boot).map(Arc::new);
            self.awaits_key = self.pinned.is_none();
        }
    }

    /// A boot was accepted that answered at the installer identity before the run waited for one.
    pub(crate) fn learn_first_boot(&mut self, boot: AcceptedBoot) {
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
    pub(crate) fn learn_machine(&mut self, machine: MachineIdentity) {
        if let Some(boot) = &mut self.unconfirmed {
            boot.machine.get_or_insert(machine);
        }
    }
}

impl Course {
    /// Accepts or refuses the first boot that answers at the installer identity. From here on the run accepts no other host
    /// key there but in a wait for a boot.
    ///
    /// # Errors
    /// When the acceptance cannot be recorded. The inner fault is that the key is not accepted.
    pub(crate) async fn accept_first_boot(
        &self,
        boot: PinnedBoot,
    ) -> Result<Result<(), Fault>, Stop> {
        if self.state().in_twin {
            self.state().pinned = Some(Arc::new(boot));
            return Ok(Ok(()));
        }
        let known_by = match self.evidence_for(&boot).await {
            Ok(None) if self.is_too_late() => {
                return Ok(Err(self.refuse_boot(
                    &boot,
                    "consent did not show it, and nothing confirms it".to_owned(),
                )));
            }
            Ok(known_by) => known_by,
            Err(fault) => return Ok(Err(fault)),
        };
        let accepted = AcceptedBoot {
            boot_id: boot.boot_id,
            host_key: boot.host_key,
            known_by,
        };
        self.recorder
            .record_durably(Record::BootPinned(accepted.clone()))?;
        self.state().learn_first_boot(accepted);
        Ok(Ok(()))
    }

    /// Whether consent was given already and the run has not waited for the boot.
    fn is_too_late(&self) -> bool {
        let state = self.state();
        state.allowed && !state.awaits_key
    }

    /// What confirms the host key of a boot; `None` when nothing does.
    ///
    /// # Errors
    /// When something contradicts it.
    async fn evidence_for(&self, boot: &PinnedBoot) -> Result<Option<KnownBy>, Fault> {
        if let Some(given) = &self.given_host_key {
            if *given == boot.host_key {
                return Ok(Some(KnownBy::Operator));
            }
            let why = format!("`--host-key` gives {given}");
            return Err(self.refuse_boot(boot, why));
        }
        let look_up = self.recorded_keys.as_ref();
        if let Some(recorded) = look_up.and_then(|look_up| look_up(&boot.boot_id)) {
            if recorded.host_key == boot.host_key {
                return Ok(Some(KnownBy::Run(recorded.run)));
            }
            let why = format!(
                "the run {} accepted {} in the same boot {}; another system may stand between",
                recorded.run, recorded.host_key, boot.boot_id
            );
            return Err(self.refuse_boot(boot, why));
        }
        if !self.keeps_system {
            return Ok(None);
        }
        let reported = self.reported(&boot.host_key).await;
        Ok(reported.map(KnownBy::Certificate))
    }

    fn refuse_boot(&self, boot: &PinnedBoot, why: String) -> Fault {
        Fault::denied(
            HOST_KEY_REFUSED,
            format!("host {}", self.host),
            format!(
                "{} shows the host key {} at the installer identity, which is not accepted: {why}. Compare the key at the \
                 console of the host (`ssh-keygen -lf`); if it is the host's, begin a run with `--host-key {}`",
                self.host, boot.host_key, boot.host_key
            ),
        )
        .with(OFFERED, boot.host_key.clone())
    }

    /// Shows at consent the host key that nothing confirms, and the machine behind it.
    pub(crate) fn describe_unconfirmed(&self, known: &mut Known) {
        let Some(boot) = self.state().unconfirmed.clone() else {
            return;
        };
        if self.keeps_system {
            known.cautions.push(format!(
                "nothing confirms the host key {} that {} shows at the installer identity: compare it at the console of the \
                 host (`ssh-keygen -lf`)",
                boot.host_key, self.host
            ));
        }
        known.facts.push((
            "host key at the installer identity".to_owned(),
            boot.host_key,
        ));
        if let Some(machine) = &boot.machine {
            known.facts.push((
                "machine at the installer identity".to_owned(),
                machine_words(machine),
            ));
        }
    }

    /// Whether consent that was given in advance covers the host key at the installer identity.
    ///
    /// # Errors
    /// Why a person is needed.
    pub(crate) fn confirm_host_key(&self) -> Result<(), String> {
        match &self.state().unconfirmed {
            Some(boot) if self.keeps_system => Err(format!(
                "consent in advance does not cover the host key {key}: {host} shows it at the installer identity, and nothing \
                 confirms it. Compare it at the console of the host (`ssh-keygen -lf`), then give it with `--host-key {key}`, \
                 or agree at a terminal",
                key = boot.host_key,
                host = self.host
            )),
            _ => Ok(()),
        }
    }
}

fn machine_words(machine: &Reported) -> String {
    let part = |name: &str, value: &Option<String>| {
        let value = value.as_deref().unwrap_or("unknown");
        format!("{name} {value}")
    };
    format!(
        "{}, {}",
        part("serial number", &machine.serial),
        part("UUID", &machine.uuid)
    )
}
