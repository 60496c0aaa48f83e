//! The machine's baseboard management controller.

pub use crate::bindings::wreimage::ipmi::ipmi::{
    BootDevice, BootFlags, BootMode, DeviceInfo, PowerAction, PowerState,
};

crate::table::effects! {
    /// Speaks to the BMC of the run's host.
    ipmi "wreimage:ipmi/ipmi@0.1.0" served by Provider in crate::bindings::wreimage::ipmi::ipmi;
    read get_power_state() -> PowerState;
    read get_boot_flags() -> BootFlags;
    read get_device_info() -> DeviceInfo;
    once set_power(action: PowerAction) -> ();
    write set_boot_device(device: BootDevice, mode: BootMode) -> BootFlags,
        undo clear_boot_device if crate::Facts::boot_override_may_go as "the boot override";
    write clear_boot_device() -> BootFlags;
}
