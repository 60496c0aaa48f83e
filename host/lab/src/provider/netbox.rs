//! The inventory.

use crate::seat::Seat;
use wreimage_capability::netbox::{Device, DeviceKind, Provider, SwitchPort};
use wreimage_capability::{Call, Fault};

pub(crate) struct Netbox(pub(crate) Seat);

impl Provider for Netbox {
    async fn get_device(&self, call: &Call) -> Result<Device, Fault> {
        let device = self
            .0
            .look(|machine, _| Ok(machine.inventory.device.clone()))?;
        self.0
            .mark(call, "netbox.get-device", "the inventory was not read");
        Ok(device)
    }

    async fn get_switch_port(&self, call: &Call) -> Result<SwitchPort, Fault> {
        let port = self.0.look(|machine, world| {
            let system = || format!("NetBox {}", world.site());
            if machine.inventory.device.kind == DeviceKind::Virtual {
                return Err(Fault::unsupported(
                    "netbox.virtual",
                    system(),
                    format!("{} is a virtual machine: it has no switch port", machine.name),
                ));
            }
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
        })?;
        self.0.mark(
            call,
            "netbox.get-switch-port",
            "the switch port was not read",
        );
        Ok(port)
    }
}
