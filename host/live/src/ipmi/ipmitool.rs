//! The live provider of `ipmi`: the program `ipmitool`. What it says about success is not believed: every write is read
//! back.

use super::answers::{boot_flags, power_state, raw_bytes};
use super::classify::Refused;
use super::identity;
use super::session::{Bmc, Repeat, Settings};
use crate::host::BootIdSlot;
use crate::target::Target;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use wreimage_capability::ipmi::{
    BootDevice, BootFlags, BootMode, DeviceInfo, PowerAction, PowerState, Provider,
};
use wreimage_capability::netbox::Device;
use wreimage_capability::{Call, Fault, Function, Reconciled};

const CHASSIS_STATUS: [&str; 3] = ["raw", "0x00", "0x01"];
const GET_BOOT_FLAGS: [&str; 6] = ["raw", "0x00", "0x09", "0x05", "0x00", "0x00"];
const SYSTEM_GUID: [&str; 3] = ["raw", "0x06", "0x37"];
/// Boot parameter 5 all zero: no override, and not valid. For BMCs that keep the device when told `none`.
const ZERO_BOOT_FLAGS: [&str; 9] = [
    "raw", "0x00", "0x08", "0x05", "0x00", "0x00", "0x00", "0x00", "0x00",
];
/// Boot parameter 3, valid bit clearing (28.13): bit 3 keeps the flags longer than 60 s, since many machines need more for
/// their self test; bit 1 is zero, so that a reset uses them up. Not every BMC has the parameter.
const KEEP_OVER_SELF_TEST: [&str; 5] = ["raw", "0x00", "0x08", "0x03", "0x08"];

/// Speaks to one BMC.
pub(crate) struct Ipmitool {
    settings: Arc<Settings>,
    target: Target,
    /// Tells a boot of the machine from another, when the machine can be entered.
    pub(super) boots: BootIdSlot,
}

impl Ipmitool {
    pub(crate) fn new(settings: Settings, target: &Target, boots: BootIdSlot) -> Self {
        Ipmitool {
            settings: Arc::new(settings),
            target: target.clone(),
            boots,
        }
    }

    /// The BMC that was checked. A machine without a management interface answers `unsupported` to everything.
    pub(super) fn bmc(&self, call: &Call) -> Result<Bmc, Fault> {
        let mut bmc = Bmc::new(self.settings.clone(), &self.target.names(call)?)?;
        bmc.until = call.valid_until;
        Ok(bmc)
    }

    /// The name of the host, for messages.
    pub(super) fn fqdn(&self, call: &Call) -> String {
        let names = self.target.names(call);
        names.map_or_else(|_| self.target.host.clone(), |names| names.fqdn)
    }

    pub(super) async fn power(&self, call: &Call) -> Result<PowerState, Fault> {
        let answer = self.bmc(call)?.ask(&CHASSIS_STATUS).await?;
        Ok(power_state(&raw_bytes(&answer)))
    }

    async fn flags(&self, call: &Call) -> Result<BootFlags, Fault> {
        let bmc = self.bmc(call)?;
        let answer = bmc.ask(&GET_BOOT_FLAGS).await?;
        boot_flags(&raw_bytes(&answer)).ok_or_else(|| {
            Fault::rejected(
                "ipmi.boot-flags-unreadable",
                bmc.system(),
                format!(
                    "{} answered boot flags that make no sense: {}",
                    bmc.system(),
                    answer.trim()
                ),
            )
        })
    }

    /// Does a write whose success is judged by reading back; only transport and password faults count here.
    async fn write(&self, call: &Call, arguments: &[&str]) -> Result<(), Fault> {
        match self.bmc(call)?.request(arguments, Repeat::Packet).await {
            Err(Refused::Fault(fault)) => Err(fault),
            _ => Ok(()),
        }
    }

    /// Writes and reads back, each way of writing once: how often and when to try again is the guest's word.
    async fn write_and_read_back(
        &self,
        call: &Call,
        ways: &[&[&str]],
        device: &BootDevice,
    ) -> Result<BootFlags, Fault> {
        let mut seen = None;
        for write in ways {
            if let Some(seen) = &seen {
                call.progress(format!(
                    "the BMC reads back boot device {}, not {}; setting it in another way",
                    describe(seen),
                    word(device)
                ));
            }
            self.write(call, write).await?;
            let flags = self.flags(call).await?;
            let once = !flags.persistent || flags.device == BootDevice::None;
            if flags.device == *device && once {
                return Ok(flags);
            }
            seen = Some(flags);
        }
        let bmc = self.bmc(call)?;
        Err(Fault::rejected(
            "ipmi.boot-device-not-set",
            bmc.system(),
            format!(
                "{} was told boot device {} and reads back {}; set it by hand on the BMC, or the machine boots something \
                 else",
                bmc.system(),
                word(device),
                seen.as_ref().map_or_else(String::new, describe)
            ),
        ))
    }
}

impl Provider for Ipmitool {
    async fn get_power_state(&self, call: &Call) -> Result<PowerState, Fault> {
        self.power(call).await
    }

    async fn get_boot_flags(&self, call: &Call) -> Result<BootFlags, Fault> {
        self.flags(call).await
    }

    async fn get_device_info(&self, call: &Call) -> Result<DeviceInfo, Fault> {
        // One resolution for all requests: what is compared here is what later calls reach.
        let bmc = self.bmc(call)?.resolved().await?;
        let controller = identity::fields(&bmc.ask(&["mc", "info"]).await?);
        let fru = bmc
            .optional(&["fru", "print", "0"])
            .await?
            .unwrap_or_default();
        let fru = identity::fields(&fru);
        let sent = bmc.optional(&SYSTEM_GUID).await?.unwrap_or_default();
        let device = call.snapshot.as_ref().map(|snapshot| &snapshot.device);
        let expected = |value: fn(&Device) -> &Option<String>| {
            device.and_then(|device| value(device).as_deref())
        };
        let guid = identity::guid(&raw_bytes(&sent), expected(|device| &device.machine_uuid));
        let one_of = |keys: &[&str]| keys.iter().find_map(|key| fru.get(*key).cloned());
        let mut extra: Vec<(String, String)> = bmc
            .addresses
            .iter()
            .map(|address| ("address".to_owned(), address.to_string()))
            .collect();
        for key in ["Product Serial", "Chassis Serial", "Board Serial"] {
            if let Some(serial) = fru.get(key) {
                extra.push((key.to_ascii_lowercase().replace(' ', "-"), serial.clone()));
            }
        }
        if let Some(guid) = &guid {
            extra.push(("guid-encoding".to_owned(), guid.encoding.to_owned()));
        }
        Ok(DeviceInfo {
            manufacturer: one_of(&["Product Manufacturer", "Board Mfg"])
                .or_else(|| controller.get("Manufacturer Name").cloned()),
            product: one_of(&["Product Name", "Board Product"])
                .or_else(|| controller.get("Product Name").cloned()),
            serial: identity::serial(&fru, expected(|device| &device.serial)),
            guid: guid.map(|guid| guid.text),
            firmware: controller.get("Firmware Revision").cloned(),
            extra,
        })
    }

    async fn set_power(&self, call: &Call, action: PowerAction) -> Result<(), Fault> {
        self.switch_power(call, action).await
    }

    async fn set_boot_device(
        &self,
        call: &Call,
        device: BootDevice,
        mode: BootMode,
    ) -> Result<BootFlags, Fault> {
        let bmc = self.bmc(call)?;
        let name = match &device {
            BootDevice::None => return self.clear_boot_device(call).await,
            BootDevice::Pxe => "pxe",
            BootDevice::Disk => "disk",
            BootDevice::Cdrom => "cdrom",
            BootDevice::BiosSetup => "bios",
            BootDevice::Other(text) => {
                return Err(Fault::unsupported(
                    "ipmi.boot-device",
                    bmc.system(),
                    format!("boot device `{text}` cannot be set by ipmitool"),
                ));
            }
        };
        let mut set = vec!["chassis", "bootdev", name];
        if mode == BootMode::Efi {
            set.push("options=efiboot");
        }
        let keeps = matches!(
            bmc.request(&KEEP_OVER_SELF_TEST, Repeat::Packet).await,
            Ok(_) | Err(Refused::Fault(_))
        );
        let mut flags = self.write_and_read_back(call, &[&set], &device).await?;
        if !keeps {
            flags.extra.push((
                "valid-bit-clearing".to_owned(),
                "not supported by the BMC".to_owned(),
            ));
        }
        if flags.efi != (mode == BootMode::Efi) {
            flags
                .extra
                .push(("boot-mode".to_owned(), "not kept by the BMC".to_owned()));
        }
        Ok(flags)
    }

    async fn clear_boot_device(&self, call: &Call) -> Result<BootFlags, Fault> {
        let made = call.made.clone();
        if let Some(made) = made.and_then(|it| serde_json::from_value::<BootFlags>(it).ok()) {
            let there = self.flags(call).await?;
            if there.device == BootDevice::None {
                return Ok(there);
            }
            if there.device != made.device {
                let bmc = self.bmc(call)?;
                return Err(Fault::conflict(
                    "ipmi.not-ours",
                    bmc.system(),
                    format!(
                        "{} has boot device {}, and this run has set {}: somebody has set another one since; it stays",
                        bmc.system(),
                        describe(&there),
                        word(&made.device)
                    ),
                ));
            }
        }
        let writes: [&[&str]; 2] = [&["chassis", "bootdev", "none"], &ZERO_BOOT_FLAGS];
        self.write_and_read_back(call, &writes, &BootDevice::None)
            .await
    }

    async fn witness(
        &self,
        call: &Call,
        _function: &'static Function,
        _arguments: &Value,
    ) -> Result<Value, Fault> {
        self.witness_power(call).await
    }

    async fn reconcile(
        &self,
        call: &Call,
        _function: &'static Function,
        arguments: &Value,
        witness: &Value,
    ) -> Result<Reconciled, Fault> {
        let action = arguments
            .get("action")
            .and_then(|action| serde_json::from_value(action.clone()).ok());
        self.reconcile_power(call, action.unwrap_or(PowerAction::Cycle), witness)
            .await
    }
}

fn word(device: &BootDevice) -> &str {
    match device {
        BootDevice::None => "none",
        BootDevice::Pxe => "pxe",
        BootDevice::Disk => "disk",
        BootDevice::Cdrom => "cdrom",
        BootDevice::BiosSetup => "bios-setup",
        BootDevice::Other(text) => text,
    }
}

fn describe(flags: &BootFlags) -> String {
    let kind = if flags.persistent {
        ", for all boots"
    } else {
        ""
    };
    format!("{} ({}{kind})", word(&flags.device), flags.raw)
}

/// Named values, for `site check`.
pub(crate) fn summary(info: &DeviceInfo) -> String {
    let named: BTreeMap<&str, &Option<String>> = BTreeMap::from([
        ("manufacturer", &info.manufacturer),
        ("product", &info.product),
        ("serial", &info.serial),
        ("guid", &info.guid),
    ]);
    let told: Vec<String> = named
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}")))
        .collect();
    told.join(", ")
}
