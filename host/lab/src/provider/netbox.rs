//! The inventory.

use crate::seat::Seat;
use wreimage_capability::netbox::{Device, DeviceKind, Provider, SwitchPort};
use wreimage_capability::{Call, Fault};

pub(crate) struct Netbox(pub(crate) Seat);

impl Provider for Netbox {
    async fn get_device(&self, call: &Call) -> Result<Device, Fault> {
        self.0.look(|machine, world| {
            Seat::mark(
                call,
                world,
                machine,
                "netbox.get-device",
                "the inventory was not read",
            );
            Ok(machine.inventory.device.clone())
        })
    }

    async fn get_switch_port(&self, call: &Call) -> Result<SwitchPort, Fault> {
        self.0.look(|machine, world| {
            let system = || format!("NetBox {}", world.site());
            if machine.inventory.device.kind == DeviceKind::Virtual {
                return Err(Fault::unsupported(
                    "netbox.virtual",
                    system(),
                    format!("{} is a virtual machine: it has no switch port", machine.name),
                ));
            }
            Seat::mark(call, world, machine, "netbox.get-switch-port", "the switch port was not read");
            machine.inventory.switch_port.clone().ok_or_else(|| {
                Fault::not_found(
                    "netbox.not-cabled",
                    system(),
                    format!(
                        "the primary interface of {} has no cable in the inventory; enter the cable in NetBox",
                        machine.name
                    ),
                )
            })
        })
    }
}
