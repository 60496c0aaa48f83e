//! A guest to begin with: looks at a machine and changes nothing.

use wreimage_sdk::ipmi::PowerState;
use wreimage_sdk::{Actions, Description, Fault, Guest, Level, Outcome, Request, ipmi};

struct NewGuest;

impl Guest for NewGuest {
    fn describe() -> Description {
        Description::reads(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_DESCRIPTION"),
        )
    }

    fn run(request: &Request) -> Result<Outcome, Fault> {
        let host = &request.host;
        let mut actions = Actions::new();

        actions.phase("check").step("Read the power state", |step| {
            match ipmi::get_power_state()? {
                PowerState::On => step.says("the machine is on"),
                other => step.warns(format!("the machine is {other}")),
            }
            Ok(())
        })?;

        actions.note(Level::Success, &format!("nothing was changed on {host}"))?;
        Ok(actions.outcome(&format!("The BMC of {host} answers.")))
    }
}

wreimage_sdk::export!(NewGuest);
