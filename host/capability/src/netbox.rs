//! The inventory: what the machine is supposed to be and where it is plugged in.

pub use crate::bindings::wreimage::netbox::netbox::{
    Device, DeviceKind, DeviceStatus, Firmware, ScriptEnd, ScriptLine, ScriptResult, ScriptTimeout,
    SwitchPort,
};

wreimage_facts::device_status!(DeviceStatus);

crate::table::effects! {
    /// Answers what the inventory says of the run's host.
    netbox "wreimage:netbox/netbox@0.1.0" served by Provider in crate::bindings::wreimage::netbox::netbox;
    read get_device() -> Device;
    read get_switch_port() -> SwitchPort;
    write set_status(status: DeviceStatus) -> ();
    once run_script(name: String, timeout: ScriptTimeout) -> ScriptResult, doubt told;
}
