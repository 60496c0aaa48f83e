//! Is it the right machine? The BMC and the installer are compared with the inventory before anything is changed or
//! believed.

use crate::gate::course::Course;
use crate::identity::comparison::{Compared, Part, parts};
use crate::run::stop::Stop;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::role::{Entry, Login, Read};
use wreimage_capability::{
    BoxFuture, Fault, FaultKind, Function, HOST_KEY_REFUSED, HostSnapshot, Role, Subject,
};
use wreimage_journal::{Checked, Origin, Record, Reported};

/// What is known of the host before the first change.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) facts: Vec<(String, String)>,
    /// What somebody has to weigh before they agree; having agreed, nothing is wrong with the run.
    pub(crate) cautions: Vec<String>,
    /// What is not as it should be.
    pub(crate) warnings: Vec<String>,
}

/// How often an installer that has just come up is asked for its identity, and the pause between.
const INSTALLER_TRIES: u32 = 5;
const INSTALLER_PAUSE: Duration = Duration::from_secs(2);

impl Course {
    /// A call of the host's own, recorded like any other.
    pub(crate) fn own_call<T: Send + 'static>(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: Value,
        read: Read<T>,
    ) -> BoxFuture<'_, Result<Result<T, Fault>, Stop>> {
        Box::pin(async move {
            let answer = self.call(function, arguments, Origin::Host).await?;
            Ok(answer.and_then(|answer| {
                read(&answer).ok_or_else(|| {
                    let text = format!("{function}: the answer cannot be read");
                    Fault::other("gate.outcome", "wreimage", text)
                })
            }))
        })
    }

    /// A host that serves users and is not going to be depooled.
    pub(crate) async fn warn_of_pooled(self: &Arc<Self>, known: &mut Known) -> Result<(), Stop> {
        let Some((function, read)) = self.served(Role::services).filter(|_| !self.depools) else {
            return Ok(());
        };
        match self.own_call(function, json!({}), read).await? {
            Ok(pooled) if pooled.is_empty() => {}
            Ok(pooled) => known.cautions.push(format!(
                "{} is pooled and will not be depooled: it serves {}",
                self.host,
                pooled.join(", ")
            )),
            Err(fault) => known.cautions.push(format!(
                "whether {} is pooled is not known: {}",
                self.host, fault.message
            )),
        }
        Ok(())
    }

    /// Before an answer at the installer's identity is believed, or anything is changed there, the machine behind it is
    /// compared with the inventory, once for each boot.
    pub(crate) async fn identify_installer(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: &Value,
        outcome: Option<&Value>,
    ) -> Result<(), Stop> {
        let awaits = function.role(Role::awaits_boot);
        let concerns = match (awaits, self.catalogue.subject(function)) {
            (Some(read), _) => {
                let boot = outcome.and_then(read);
                boot.is_some_and(|boot| boot.at == Login::Installer)
            }
            (None, Subject::System(entry)) => match entry(function, arguments) {
                Some(Entry::At(login)) => login == Login::Installer,
                Some(Entry::Latest) => self.state().is_at_installer,
                None => false,
            },
            (None, _) => false,
        };
        if !concerns || self.state().identified_boot {
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
                    self.state().identified_boot = true;
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

    /// Compares what answers at the installer's identity with the inventory, with what BMC and old system reported at the
    /// last check, and with the machine that consent showed.
    fn compare_installer(
        &self,
        snapshot: &HostSnapshot,
        checked: Option<&Checked>,
        shown: Option<&Reported>,
        reported: &Reported,
    ) -> Result<(), Stop> {
        let mut compared = Compared::new(&self.unrelated_guids);
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

    /// Writes down what speaks against it.
    pub(crate) fn tell(&self, known: Known) -> Result<(), Stop> {
        // The same text again, at a later check, says nothing new.
        let is_new = |text: &str| self.state().reported.insert(text.to_owned());
        for text in known.cautions.into_iter().filter(|it| is_new(it)) {
            self.tell_note(Record::Log {
                severity: "warn".to_owned(),
                text,
            })?;
        }
        for warning in known.warnings.into_iter().filter(|it| is_new(it)) {
            self.warn(warning)?;
        }
        Ok(())
    }
}

/// Whether the boot that was asked about does not answer any more: nothing does, or one with another host key.
fn is_away(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Unreachable | FaultKind::Timeout)
        || fault.code == HOST_KEY_REFUSED
}
