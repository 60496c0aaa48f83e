//! A boot at the installer identity for which the run has not waited: an earlier run left its system there.
//!
//! Its host key is accepted when the operator has given it, when an earlier run of this state folder accepted it in the same
//! boot, or when the host's certificate has reported it. Otherwise it is accepted before consent only, and consent shows it.

use crate::gate::run_gate::RunGate;
use crate::identity::known::Known;
use crate::run::stop::Stop;
use std::sync::Arc;
use wreimage_capability::{Fault, HOST_KEY_REFUSED, OFFERED, PinnedBoot};
use wreimage_journal::{AcceptedBoot, KnownBy, Record, Reported};

impl RunGate {
    /// Accepts or refuses the first boot that answers at the installer identity. From here on the run accepts no other host
    /// key there but in a wait for a boot.
    ///
    /// # Errors
    /// When the acceptance cannot be recorded. The inner fault is that the key is not accepted.
    pub(crate) async fn accept_first_boot(
        &self,
        boot: PinnedBoot,
    ) -> Result<Result<(), Fault>, Stop> {
        if self.state().mode().is_in_twin() {
            self.state().pinned_in_twin = Some(Arc::new(boot));
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
        self.record_durably(Record::BootPinned(accepted))?;
        Ok(Ok(()))
    }

    /// Whether consent was given already and the run has not waited for the boot.
    fn is_too_late(&self) -> bool {
        let state = self.state();
        state.may_change() && !state.awaits_key
    }

    /// What confirms the host key of a boot; `None` when nothing does.
    ///
    /// # Errors
    /// When something contradicts it.
    async fn evidence_for(&self, boot: &PinnedBoot) -> Result<Option<KnownBy>, Fault> {
        if let Some(given) = &self.context.given_host_key {
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
        if !self.context.keeps_system {
            return Ok(None);
        }
        let reported = self.reported(&boot.host_key).await;
        Ok(reported.map(KnownBy::Certificate))
    }

    fn refuse_boot(&self, boot: &PinnedBoot, why: String) -> Fault {
        Fault::denied(
            HOST_KEY_REFUSED,
            format!("host {}", self.context.host),
            format!(
                "{} shows the host key {} at the installer identity, which is not accepted: {why}. Compare the key at the \
                 console of the host (`ssh-keygen -lf`); if it is the host's, begin a run with `--host-key {}`",
                self.context.host, boot.host_key, boot.host_key
            ),
        )
        .with(OFFERED, boot.host_key.clone())
    }

    /// Shows at consent the host key that nothing confirms, and the machine behind it.
    pub(crate) fn describe_unconfirmed(&self, known: &mut Known) {
        let Some(boot) = self.state().unconfirmed.clone() else {
            return;
        };
        if self.context.keeps_system {
            known.cautions.push(format!(
                "nothing confirms the host key {} that {} shows at the installer identity: compare it at the console of the \
                 host (`ssh-keygen -lf`)",
                boot.host_key, self.context.host
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
            Some(boot) if self.context.keeps_system => Err(format!(
                "consent in advance does not cover the host key {key}: {host} shows it at the installer identity, and nothing \
                 confirms it. Compare it at the console of the host (`ssh-keygen -lf`), then give it with `--host-key {key}`, \
                 or agree at a terminal",
                key = boot.host_key,
                host = self.context.host
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
