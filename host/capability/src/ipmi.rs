//! The machine's baseboard management controller.

pub use crate::bindings::wreimage::ipmi::ipmi::{
    BootDevice, BootFlags, BootMode, DeviceInfo, PowerAction, PowerState,
};

use crate::role::{self, Found, MachineIdentity, ReadBack, Role, Subject};
use serde_json::{Value, json};

crate::table::effects! {
    /// Speaks to the BMC of the run's host.
    ipmi "wreimage:ipmi/ipmi@0.1.0" served by Provider in crate::bindings::wreimage::ipmi::ipmi,
        acts on Subject::Controller;
    read get_power_state() -> PowerState;
    read get_boot_flags() -> BootFlags,
        role Role::ReportsOverride(boot_override);
    read get_device_info() -> DeviceInfo,
        role Role::ControllerIdentity(identity);
    once set_power(action: PowerAction) -> (),
        role Role::Power(restarts);
    write set_boot_device(device: BootDevice, mode: BootMode) -> BootFlags,
        undo clear_boot_device if crate::Facts::boot_override_may_go as "the boot override",
        role Role::SetsOverride(is_elsewhere),
        role Role::ReadBack(&OVERRIDE);
    write clear_boot_device() -> BootFlags,
        role Role::ClearsOverride(boot_override);
}

/// The boot override of a run, as the BMC reports it: the device decides, because some BMCs report other flags than were set.
static OVERRIDE: ReadBack = ReadBack {
    function: "get-boot-flags",
    arguments: || json!({}),
    compare: |made, read| match (made.get("device"), read.get("device")) {
        (Some(made), Some(read)) if made == read => Found::There,
        (Some(_), Some(_)) => Found::Gone,
        _ => Found::Unknown,
    },
    is_used_up_by_restart: true,
    is_wiped: false,
    reopens: true,
};

/// The machine restarts by every power action but switching off.
fn restarts(arguments: &Value) -> bool {
    arguments.get("action") != Some(&json!(PowerAction::Off))
}

fn is_elsewhere(arguments: &Value) -> bool {
    arguments.get("device") != Some(&json!(BootDevice::Disk))
}

fn boot_override(answer: &Value) -> Option<role::BootOverride> {
    let flags: BootFlags = serde_json::from_value(answer.clone()).ok()?;
    Some(role::BootOverride {
        is_set: flags.device != BootDevice::None,
        description: format!("{:?}, flags {}", flags.device, flags.raw),
    })
}

fn identity(answer: &Value) -> Option<role::ControllerIdentity> {
    let info: DeviceInfo = serde_json::from_value(answer.clone()).ok()?;
    let addresses = info.extra.iter().filter(|(name, _)| name == "address");
    Some(role::ControllerIdentity {
        addresses: addresses
            .filter_map(|(_, value)| value.parse().ok())
            .collect(),
        models: [info.manufacturer, info.product]
            .into_iter()
            .flatten()
            .collect(),
        machine: MachineIdentity {
            serial: info.serial,
            uuid: info.guid,
        },
    })
}
