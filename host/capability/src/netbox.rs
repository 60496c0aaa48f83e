//! The inventory: what the machine is supposed to be and where it is plugged in.

pub use crate::bindings::wreimage::netbox::netbox::{
    Device, DeviceKind, DeviceStatus, Firmware, ScriptEnd, ScriptLine, ScriptResult, ScriptTimeout,
    SwitchPort,
};

use crate::HostSnapshot;
use crate::role::{Read, Role};
use serde_json::Value;

wreimage_facts::device_status!(DeviceStatus);

crate::table::effects! {
    /// Answers what the inventory says of the run's host.
    netbox "wreimage:netbox/netbox@0.1.0" served by Provider in crate::bindings::wreimage::netbox::netbox;
    read get_device() -> Device,
        role Role::Inventory(snapshot);
    read get_switch_port() -> SwitchPort,
        role Role::SwitchPort(SWITCH_PORT);
    write set_status(status: DeviceStatus) -> (),
        role Role::SetsStatus(status_set);
    once run_script(name: String, timeout: ScriptTimeout) -> ScriptResult, doubt told;
}

const SWITCH_PORT: Read<SwitchPort> = |answer| serde_json::from_value(answer.clone()).ok();

fn snapshot(answer: &Value) -> Option<HostSnapshot> {
    let device = serde_json::from_value(answer.clone()).ok()?;
    Some(HostSnapshot::of(device))
}

fn status_set(arguments: &Value) -> Option<String> {
    let status: DeviceStatus = serde_json::from_value(arguments.get("status")?.clone()).ok()?;
    Some(status.word().to_owned())
}
