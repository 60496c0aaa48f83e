//! Is it the right machine? The BMC and the installer are compared with the inventory before anything is changed or
//! believed.

use crate::consent::{ConsentComponent, ConsentRequest};
use crate::gate::Course;
use crate::stop::Stop;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::conftool::{self, PoolObject};
use wreimage_capability::ipmi::{self, DeviceInfo};
use wreimage_capability::netbox::{self, Device, DeviceStatus};
use wreimage_capability::remote::{self, Dmi};
use wreimage_capability::{BoxFuture, Fault, FaultKind, Function};
use wreimage_journal::{Origin, Record};

/// What is known of the host before the first change.
#[derive(Default)]
pub(crate) struct Known {
    facts: Vec<(String, String)>,
    /// What somebody has to weigh before they agree; having agreed, nothing is wrong with the run.
    cautions: Vec<String>,
    /// What is not as it should be.
    warnings: Vec<String>,
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

    /// Compares the BMC with the inventory and looks for what forbids a change.
    pub(crate) async fn identify(self: &Arc<Self>) -> Result<Known, Stop> {
        let mut known = Known::default();
        let Some(device) = self.inventory_device().await? else {
            known
                .warnings
                .push("no inventory is at hand: nothing says which machine this is".to_owned());
            return Ok(known);
        };
        if let Some(tag) = device
            .tags
            .iter()
            .find(|tag| self.protected_tags.contains(tag))
        {
            return Err(Stop::Refused(format!(
                "{} is protected: the inventory tags it `{tag}`. Nothing was touched. Remove the tag there if it is really \
                 meant to be changed; no option overrides it",
                device.name
            )));
        }
        known.describe(&device);
        self.warn_of_pooled(&mut known).await?;
        let has_bmc = self.state().providers.has("ipmi") && !self.absent.contains("ipmi");
        if !has_bmc {
            known.warnings.push(
                "the machine could not be compared with the inventory: no BMC can be asked"
                    .to_owned(),
            );
            return Ok(known);
        }
        match self
            .own_call::<DeviceInfo>(&ipmi::functions::get_device_info, json!({}))
            .await?
        {
            Ok(info) => {
                let told = [
                    ("serial number", &device.serial, &info.serial),
                    ("UUID", &device.machine_uuid, &info.guid),
                ];
                self.compare(&device, "its BMC", told, &mut known)?;
            }
            Err(fault) if fault.kind == FaultKind::Unsupported => known.warnings.push(format!(
                "the machine could not be compared with the inventory: {}",
                fault.message
            )),
            Err(fault) => {
                return Err(Stop::Refused(format!(
                    "the BMC of {} could not be asked which machine it belongs to: {}. Nothing was touched",
                    device.name, fault.message
                )));
            }
        }
        Ok(known)
    }

    /// A host that serves users and is not going to be depooled.
    async fn warn_of_pooled(self: &Arc<Self>, known: &mut Known) -> Result<(), Stop> {
        let given = |toggle: &str| {
            self.options
                .iter()
                .any(|(name, value)| name == toggle && value == "true")
        };
        // What is called new is not depooled.
        let depools = given(DEPOOLING) && !given(NEW);
        if depools || !self.state().providers.has("conftool") || self.absent.contains("conftool") {
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

    async fn inventory_device(self: &Arc<Self>) -> Result<Option<Device>, Stop> {
        if let Some(device) = self.state().device.clone() {
            return Ok(Some(device));
        }
        if !self.state().providers.has("netbox") || self.absent.contains("netbox") {
            return Ok(None);
        }
        match self
            .own_call::<Device>(&netbox::functions::get_device, json!({}))
            .await?
        {
            Ok(device) => Ok(Some(device)),
            Err(fault) => Err(Stop::Refused(format!(
                "the inventory cannot say which machine {} is: {}. Nothing was touched",
                self.host, fault.message
            ))),
        }
    }

    /// Both sides of each value that both tell must be equal.
    fn compare(
        &self,
        device: &Device,
        who: &str,
        values: [(&str, &Option<String>, &Option<String>); 2],
        known: &mut Known,
    ) -> Result<(), Stop> {
        let mut compared = false;
        for (what, expected, told) in values {
            let (Some(expected), Some(told)) = (meaningful(expected), meaningful(told)) else {
                continue;
            };
            if !same(expected, told) {
                return Err(Stop::WrongMachine(format!(
                    "wrong machine: the inventory gives {} the {what} `{expected}`, {who} says `{told}`. Find out which of \
                     them is wrong (cabling, DNS of the management name, a typo in the inventory) before anything is done \
                     to either machine",
                    device.name
                )));
            }
            compared = true;
            known.facts.push((
                "compared".to_owned(),
                format!("the {what} of the inventory and of {who} are the same"),
            ));
        }
        if !compared {
            known.warnings.push(format!(
                "the machine could not be compared with the inventory: {who} and the inventory share neither serial number \
                 nor UUID"
            ));
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
        let Some(device) = self.state().device.clone() else {
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
                    let told = [
                        ("serial number", &device.serial, &dmi.serial),
                        ("UUID", &device.machine_uuid, &dmi.machine_uuid),
                    ];
                    let mut known = Known::default();
                    self.compare(&device, "the machine that answers", told, &mut known)?;
                    self.state().identified_boot = true;
                    for warning in known.warnings {
                        self.warn(warning)?;
                    }
                    return Ok(());
                }
                Err(fault) => last = fault.message,
            }
        }
        Err(Stop::WrongMachine(format!(
            "what answers for {} at the installer's identity did not say which machine it is: {last}. It is not believed",
            device.name
        )))
    }

    /// Shows what is about to happen and asks for leave.
    pub(crate) async fn ask_consent(&self, function: &Function, known: &Known) -> Result<(), Stop> {
        let request = ConsentRequest {
            host: self.host.clone(),
            site: self.site.clone(),
            guest: self.guest.clone(),
            digest: self.digest.clone(),
            capabilities: self.capabilities.clone(),
            plugs: self
                .plugs
                .iter()
                .map(|plug| ConsentComponent {
                    component: format!("{} {}", plug.name, plug.version),
                    digest: plug.digest.clone(),
                    capabilities: plug.capabilities.clone(),
                })
                .collect(),
            known: known.facts.clone(),
            warnings: known
                .cautions
                .iter()
                .chain(&known.warnings)
                .cloned()
                .collect(),
            first: function.to_string(),
        };
        let answer = tokio::select! {
            answer = self.consent.ask(&request) => answer,
            () = self.cancel.cancelled() => return Err(Stop::Cancelled),
        };
        answer
            .map_err(|why| Stop::Refused(format!("{why}. Nothing was touched on {}", self.host)))?;
        self.recorder.record_durably(Record::Consented {
            first: request.first,
            known: request.known,
        })?;
        Ok(())
    }

    /// Writes down what speaks against it.
    pub(crate) fn tell(&self, known: Known) -> Result<(), Stop> {
        for text in known.cautions {
            self.tell_note(Record::Log {
                severity: "warn".to_owned(),
                text,
            })?;
        }
        for warning in known.warnings {
            self.warn(warning)?;
        }
        Ok(())
    }
}

impl Known {
    fn describe(&mut self, device: &Device) {
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

fn status(of: &DeviceStatus) -> &str {
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
fn same(one: &str, other: &str) -> bool {
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
