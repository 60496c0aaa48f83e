//! Is it the right machine? The BMC and the installer are compared with the inventory before anything is changed or
//! believed.

use crate::gate::Course;
use crate::stop::Stop;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::conftool::{self, PoolObject};
use wreimage_capability::netbox::{Device, DeviceStatus};
use wreimage_capability::remote::{self, Dmi};
use wreimage_capability::{BoxFuture, Fault, Function};
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
        let at = match function.name {
            "wait-for-boot" => outcome.and_then(|boot| boot.get("identity")),
            _ => arguments.get("at"),
        };
        let concerns =
            function.capability == "remote" && at.and_then(Value::as_str) == Some("Installer");
        if !concerns || self.state().identified_boot {
            return Ok(());
        }
        let (snapshot, checked) = {
            let state = self.state();
            (state.snapshot.clone(), state.checked.clone())
        };
        let Some(snapshot) = snapshot else {
            return Ok(());
        };
        let mut last = String::new();
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
                    let told = Reported {
                        serial: dmi.serial,
                        uuid: dmi.machine_uuid,
                    };
                    self.compare_installer(&snapshot.device, checked.as_deref(), &told)?;
                    self.state().identified_boot = true;
                    return Ok(());
                }
                Err(fault) => last = fault.message,
            }
        }
        Err(Stop::WrongMachine(format!(
            "what answers for {} at the installer's identity did not say which machine it is: {last}. It is not believed",
            snapshot.device.name
        )))
    }

    /// Compares what answers at the installer's identity with the inventory, and with what BMC and old system reported at the
    /// last check.
    fn compare_installer(
        &self,
        device: &Device,
        checked: Option<&Checked>,
        told: &Reported,
    ) -> Result<(), Stop> {
        let mut compared = Compared::new(&self.unrelated_guids);
        let inventory = in_inventory(device);
        let mut others = vec![Part::new("the inventory", &inventory)];
        if let Some(checked) = checked {
            others.extend(parts(checked));
            compared.is_guid_unrelated = checked.guid_unrelated;
        }
        compared
            .with(&device.name, &Part::new("the machine that answers", told), &others)
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
        let is_new = |text: &str| self.state().told.insert(text.to_owned());
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

/// One part of the machine, or of what is known of it, that reports who it is.
pub(crate) struct Part<'a> {
    who: &'a str,
    reported: &'a Reported,
    is_bmc: bool,
}

impl<'a> Part<'a> {
    pub(crate) fn new(who: &'a str, reported: &'a Reported) -> Self {
        Part {
            who,
            reported,
            is_bmc: false,
        }
    }
}

/// The parts that were asked at a check.
fn parts(checked: &Checked) -> Vec<Part<'_>> {
    let bmc = checked.bmc.iter().map(|it| Part {
        is_bmc: true,
        ..Part::new("its BMC", it)
    });
    let system = checked.system.iter();
    bmc.chain(system.map(|it| Part::new("its old system", it)))
        .collect()
}

fn in_inventory(device: &Device) -> Reported {
    Reported {
        serial: device.serial.clone(),
        uuid: device.machine_uuid.clone(),
    }
}

/// What a comparison of identities has found.
pub(crate) struct Compared<'a> {
    /// Vendors and models whose BMCs have a GUID that is not the machine's UUID.
    unrelated: &'a [String],
    /// Whether the BMC is one of these.
    pub(crate) is_guid_unrelated: bool,
    /// Vendor and model as the BMC reports them.
    pub(crate) bmc_models: Vec<String>,
    /// Why the BMC was not compared.
    pub(crate) why: Option<String>,
    /// What was equal.
    pub(crate) facts: Vec<(String, String)>,
}

impl<'a> Compared<'a> {
    pub(crate) fn new(unrelated: &'a [String]) -> Self {
        Compared {
            unrelated,
            is_guid_unrelated: false,
            bmc_models: Vec::new(),
            why: None,
            facts: Vec::new(),
        }
    }

    /// Whether anything could be compared.
    pub(crate) fn is_confirmed(&self) -> bool {
        !self.facts.is_empty()
    }

    /// Each value that two parts report must be equal.
    ///
    /// # Errors
    /// Which are not, in a sentence that names both.
    pub(crate) fn with(
        &mut self,
        host: &str,
        part: &Part<'_>,
        others: &[Part<'_>],
    ) -> Result<(), String> {
        for other in others {
            let values = [
                (
                    "serial number",
                    &other.reported.serial,
                    &part.reported.serial,
                ),
                ("UUID", &other.reported.uuid, &part.reported.uuid),
            ];
            for (what, expected, told) in values {
                let of_bmc = what == "UUID" && (part.is_bmc || other.is_bmc);
                let (Some(expected), Some(told)) = (meaningful(expected), meaningful(told)) else {
                    continue;
                };
                if of_bmc && self.is_guid_unrelated {
                    continue;
                }
                let (one, two) = (other.who, part.who);
                if !same(expected, told) {
                    return Err(format!(
                        "{one} gives {host} the {what} `{expected}`, {two} reports `{told}`"
                    ));
                }
                self.facts.push((
                    "compared".to_owned(),
                    format!("the {what} of {one} and of {two} are the same"),
                ));
            }
        }
        Ok(())
    }
}

/// Compares inventory, BMC and old system with each other, as far as they are known.
///
/// # Errors
/// Which of them do not agree.
pub(crate) fn compare(
    device: Option<&Device>,
    now: &mut Checked,
    compared: &mut Compared<'_>,
) -> Result<(), String> {
    let vendor = device.and_then(|device| device.vendor.clone());
    compared.is_guid_unrelated = compared.unrelated.iter().any(|model| {
        let mut known = compared.bmc_models.iter().chain(&vendor);
        known.any(|it| it.trim().eq_ignore_ascii_case(model))
    });
    now.guid_unrelated = compared.is_guid_unrelated;
    let host = device.map_or("this host", |device| &device.name);
    let inventory = device.map(in_inventory);
    let mut before: Vec<Part<'_>> = Vec::new();
    before.extend(inventory.as_ref().map(|it| Part::new("the inventory", it)));
    for part in parts(now) {
        compared.with(host, &part, &before)?;
        before.push(part);
    }
    Ok(())
}

impl Known {
    pub(crate) fn describe(&mut self, device: &Device) {
        let mut tell =
            |name: &str, value: &str| self.facts.push((name.to_owned(), value.to_owned()));
        tell("name", &device.fqdn);
        tell("status", status(&device.status));
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

/// The status as a word.
pub(crate) fn status(of: &DeviceStatus) -> &str {
    match of {
        DeviceStatus::Planned => "planned",
        DeviceStatus::Staged => "staged",
        DeviceStatus::Active => "active",
        DeviceStatus::Failed => "failed",
        DeviceStatus::Offline => "offline",
        DeviceStatus::Decommissioning => "decommissioning",
        DeviceStatus::Other(word) => word,
    }
}

/// A value that can be compared: vendors leave placeholders.
fn meaningful(value: &Option<String>) -> Option<&str> {
    let value = value.as_deref()?.trim();
    let placeholder = value.is_empty()
        || [
            "not specified",
            "to be filled by o.e.m.",
            "none",
            "default string",
            "system serial number",
        ]
        .contains(&value.to_lowercase().as_str())
        || value.chars().all(|c| c == '0' || c == '-');
    (!placeholder).then_some(value)
}

/// Equal but for case; a UUID also when its first three fields have the other byte order, as SMBIOS and BMCs differ in
/// that.
pub(crate) fn same(one: &str, other: &str) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    match (uuid_bytes(one), uuid_bytes(other)) {
        (Some(one), Some(other)) => one == other || swapped(one) == other,
        _ => false,
    }
}

fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn swapped(bytes: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

#[cfg(test)]
mod tests {
    use super::{meaningful, same};

    #[test]
    fn serials_and_uuids_are_the_same_whatever_their_spelling() {
        assert!(same("ABC1234", "abc1234"));
        assert!(!same("ABC1234", "ABC1235"));
        let uuid = "4c4c4544-0042-4310-8031-c1c04f323334";
        assert!(same(uuid, "4C4C4544-0042-4310-8031-C1C04F323334"));
        assert!(same(uuid, "44454c4c-4200-1043-8031-c1c04f323334"));
        assert!(!same(uuid, "44454c4c-4200-1043-8031-c1c04f323335"));
    }

    #[test]
    fn placeholders_are_not_compared() {
        let of = |text: &str| meaningful(&Some(text.to_owned())).is_some();
        assert!(of("ABC1234"));
        assert!(!of("To Be Filled By O.E.M."));
        assert!(!of("00000000-0000-0000-0000-000000000000"));
        assert!(!of(" "));
        assert!(meaningful(&None).is_none());
    }
}
