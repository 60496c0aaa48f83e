//! Is it the right machine? The BMC and the installer are compared with the inventory before anything is changed or
//! believed.

use crate::comparison::{Compared, Part, in_inventory, parts};
use crate::course::Course;
use crate::host_key::REFUSED;
use crate::stop::Stop;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::conftool::{self, PoolObject};
use wreimage_capability::netbox::Device;
use wreimage_capability::remote::{self, Dmi};
use wreimage_capability::{BoxFuture, Fault, FaultKind, Function};
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

/// The toggle by which a guest takes the host out of its services.
const DEPOOLING: &str = "conftool";

/// The toggle by which a guest is told that the host is in no service yet.
const NEW: &str = "new";

/// How often an installer that has just come up is asked for its identity, and the pause between.
const INSTALLER_TRIES: u32 = 5;
const INSTALLER_PAUSE: Duration = Duration::from_secs(2);

impl Course {
    /// A call of the host's own, recorded like any other.
    pub(crate) fn own_call<T: DeserializeOwned>(
        self: &Arc<Self>,
        function: &'static Function,
        arguments: Value,
    ) -> BoxFuture<'_, Result<Result<T, Fault>, Stop>> {
        Box::pin(async move {
            Ok(match self.call(function, arguments, Origin::Host).await? {
                Ok(value) => serde_json::from_value(value).map_err(|error| {
                    Fault::other("gate.outcome", "wreimage", format!("{function}: {error}"))
                }),
                Err(fault) => Err(fault),
            })
        })
    }

    /// A host that serves users and is not going to be depooled.
    pub(crate) async fn warn_of_pooled(self: &Arc<Self>, known: &mut Known) -> Result<(), Stop> {
        let given = |toggle: &str| {
            self.options
                .iter()
                .any(|(name, value)| name == toggle && value == "true")
        };
        // What is called new is not depooled.
        let depools = given(DEPOOLING) && !given(NEW);
        if depools || !self.serves("conftool") {
            return Ok(());
        }
        let objects = self
            .own_call::<Vec<PoolObject>>(&conftool::functions::get_objects, json!({}))
            .await?;
        match objects {
            Ok(objects) => {
                let pooled: Vec<String> = objects
                    .into_iter()
                    .filter(|object| object.pooled == "yes")
                    .map(|object| format!("{} of {}", object.service, object.cluster))
                    .collect();
                if !pooled.is_empty() {
                    known.cautions.push(format!(
                        "{} is pooled and will not be depooled: it serves {}",
                        self.host,
                        pooled.join(", ")
                    ));
                }
            }
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
        let is_wait = function.name == "wait-for-boot";
        let at = if is_wait {
            outcome.and_then(|boot| boot.get("identity"))
        } else {
            arguments.get("at")
        };
        let concerns = match function.capability {
            "remote" => at.and_then(Value::as_str) == Some("Installer"),
            // The agent is run at the identity at which the machine came up last.
            "puppet" => function.effect.mutates() && self.state().is_at_installer,
            _ => false,
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
        let mut last = None;
        for attempt in 0..INSTALLER_TRIES {
            if attempt > 0 {
                let clock = self.recorder.clock();
                let due = clock.now().saturating_add(INSTALLER_PAUSE);
                if let Ok(due) = due {
                    clock.sleep_until(due).await;
                }
            }
            match self
                .own_call::<Dmi>(&remote::functions::get_dmi, json!({ "at": "Installer" }))
                .await?
            {
                Ok(dmi) => {
                    let reported = Reported {
                        serial: dmi.serial,
                        uuid: dmi.machine_uuid,
                    };
                    self.compare_installer(
                        &snapshot.device,
                        checked.as_deref(),
                        shown.as_ref(),
                        &reported,
                    )?;
                    self.state().identified_boot = true;
                    return Ok(());
                }
                // Another try shows no other key.
                Err(fault) if fault.code == REFUSED => {
                    last = Some(fault);
                    break;
                }
                Err(fault) => last = Some(fault),
            }
        }
        let name = &snapshot.device.name;
        let is_away = last.as_ref().is_some_and(is_away);
        let last = last.map(|fault| fault.message).unwrap_or_default();
        // A process that comes back late finds the machine in a later boot, which the next wait for a boot sees.
        if is_wait && is_away {
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
        device: &Device,
        checked: Option<&Checked>,
        shown: Option<&Reported>,
        reported: &Reported,
    ) -> Result<(), Stop> {
        let mut compared = Compared::new(&self.unrelated_guids);
        let inventory = in_inventory(device);
        let mut others = vec![Part::new("the inventory", &inventory)];
        if let Some(checked) = checked {
            others.extend(parts(checked));
            compared.is_guid_unrelated = checked.guid_unrelated;
        }
        others.extend(shown.map(|it| Part::new("the machine that consent showed", it)));
        compared
            .with(&device.name, &Part::new("the machine that answers", reported), &others)
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
    matches!(fault.kind, FaultKind::Unreachable | FaultKind::Timeout) || fault.code == REFUSED
}

impl Known {
    pub(crate) fn describe(&mut self, device: &Device) {
        let mut tell =
            |name: &str, value: &str| self.facts.push((name.to_owned(), value.to_owned()));
        tell("name", &device.fqdn);
        tell("status", device.status.as_word());
        for (name, value) in [("vendor", &device.vendor), ("serial", &device.serial)] {
            if let Some(value) = value {
                tell(name, value);
            }
        }
        if let Some(address) = &device.primary_ip {
            tell("address", address);
        }
        if !device.tags.is_empty() {
            tell("tags", &device.tags.join(", "));
        }
    }
}
