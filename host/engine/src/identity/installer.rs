//! The machine that answers at the installer identity is compared with the inventory before anything is changed there, and before
//! the guest acts on anything that it reports.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::identity::comparison::{Compared, Part, parts};
use crate::run::stop::Stop;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::role::{Entry, Login};
use wreimage_capability::{Fault, FaultKind, HOST_KEY_REFUSED, HostSnapshot, Role, Subject};
use wreimage_journal::{Checked, Reported};

/// How often an installer that has just come up is asked for its identity, and the pause between.
const INSTALLER_TRIES: u32 = 5;
const INSTALLER_PAUSE: Duration = Duration::from_secs(2);

impl RunGate {
    /// Before an answer at the installer's identity is believed, or anything is changed there, the machine behind it is
    /// compared with the inventory, once for each boot.
    pub(crate) async fn check_installer_identity(
        self: &Arc<Self>,
        context: CallContext<'_>,
        answer: Option<&Value>,
    ) -> Result<(), Stop> {
        let CallContext {
            function,
            arguments,
            ..
        } = context;
        let awaits = function.role(Role::awaits_boot);
        let concerns = match (awaits, self.context.catalogue.subject(function)) {
            (Some(read), _) => {
                let boot = answer.and_then(read);
                boot.is_some_and(|boot| boot.at == Login::Installer)
            }
            (None, Subject::System(entry)) => match entry(function, arguments) {
                Some(Entry::At(login)) => login == Login::Installer,
                Some(Entry::Latest) => self.state().is_at_installer,
                None => false,
            },
            (None, _) => false,
        };
        if !concerns || self.is_identified() {
            return Ok(());
        }
        let (snapshot, checked, shown) = {
            let state = self.state();
            let shown = state.unconfirmed.as_ref().and_then(|it| it.machine.clone());
            (state.snapshot.clone(), state.checked.clone(), shown)
        };
        let Some(snapshot) = snapshot else {
            return Ok(());
        };
        let Some((identify, at)) = self.served(Role::system_identity) else {
            return Ok(());
        };
        let mut last = None;
        for attempt in 0..INSTALLER_TRIES {
            if attempt > 0 {
                let clock = self.recorder.clock();
                let due = clock.now().saturating_add(INSTALLER_PAUSE);
                if let Ok(due) = due {
                    clock.sleep_until(due).await;
                }
            }
            let arguments = (at.arguments)(Login::Installer);
            match self.own_call(identify, arguments, at.read).await? {
                Ok(reported) => {
                    self.compare_installer(
                        &snapshot,
                        checked.as_deref(),
                        shown.as_ref(),
                        &reported,
                    )?;
                    self.state().identified_here = true;
                    return Ok(());
                }
                // Another try shows no other key.
                Err(fault) if fault.code == HOST_KEY_REFUSED => {
                    last = Some(fault);
                    break;
                }
                Err(fault) => last = Some(fault),
            }
        }
        let name = snapshot.name();
        let is_away = last.as_ref().is_some_and(is_away);
        let last = last.map(|fault| fault.message).unwrap_or_default();
        // A process that comes back late finds the machine in a later boot, which the next wait for a boot sees.
        if awaits.is_some() && is_away {
            self.recorder.warn(&format!(
                "{name} was up at the installer's identity and cannot be asked any more which machine it was: {last}. What answers \
                 there next is compared with the inventory"
            ));
            return Ok(());
        }
        Err(Stop::WrongMachine(format!(
            "what answers for {name} at the installer's identity did not say which machine it is: {last}. It is not believed"
        )))
    }

    fn is_identified(&self) -> bool {
        let state = self.state();
        state.identified_boot || state.identified_here
    }

    /// Compares what answers at the installer's identity with the inventory, with what BMC and old system reported at the
    /// last check, and with the machine that consent showed.
    fn compare_installer(
        &self,
        snapshot: &HostSnapshot,
        checked: Option<&Checked>,
        shown: Option<&Reported>,
        reported: &Reported,
    ) -> Result<(), Stop> {
        let mut compared = Compared::new(&self.context.unrelated_guids);
        let inventory = snapshot.machine();
        let mut others = vec![Part::new("the inventory", &inventory)];
        if let Some(checked) = checked {
            others.extend(parts(checked));
            compared.is_guid_unrelated = checked.guid_unrelated;
        }
        others.extend(shown.map(|it| Part::new("the machine that consent showed", it)));
        compared
            .with(snapshot.name(), &Part::new("the machine that answers", reported), &others)
            .map_err(|why| {
                Stop::WrongMachine(format!(
                    "wrong machine: {why}. Find out which of them is wrong (cabling, DNS of the management name, a typo in the \
                     inventory) before anything is done to either machine"
                ))
            })?;
        if !compared.is_confirmed() {
            self.warn(
                "the machine could not be compared with the inventory: the machine that answers and the inventory share \
                 neither serial number nor UUID"
                    .to_owned(),
            )?;
        }
        Ok(())
    }
}

/// Whether the boot that was asked about does not answer any more: nothing does, or one with another host key.
fn is_away(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Unreachable | FaultKind::Timeout)
        || fault.code == HOST_KEY_REFUSED
}
