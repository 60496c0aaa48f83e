//! The smallest useful guest: reads what the BMC tells of the machine and touches nothing.

use wreimage_sdk::{Actions, Description, Fault, Guest, Outcome, Request, ipmi};

struct BmcCheck;

impl Guest for BmcCheck {
    fn describe() -> Description {
        Description::reads(
            "bmc-check",
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_DESCRIPTION"),
        )
    }

    fn run(request: &Request) -> Result<Outcome, Fault> {
        let mut actions = Actions::new();
        actions
            .phase("check")
            .step("Read what the BMC tells", |step| {
                let device = ipmi::get_device_info()?;
                step.says(format!("power is {}", ipmi::get_power_state()?));
                step.says(format!("boot override: {}", ipmi::get_boot_flags()?));
                step.evidence("serial", device.serial.as_deref().unwrap_or("not told"));
                step.evidence("firmware", device.firmware.as_deref().unwrap_or("not told"));
                Ok(())
            })?;
        Ok(actions.outcome(&format!("The BMC of {} answers", request.host)))
    }
}

wreimage_sdk::export!(BmcCheck);
