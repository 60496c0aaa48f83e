//! A component to begin with: looks at the machine before it is taken out of service, and changes nothing.

use wreimage_sdk::hooks::{Finding, Phase};
use wreimage_sdk::ipmi::PowerState;
use wreimage_sdk::plug::{BeforePhase, Description, Plug};
use wreimage_sdk::{Actions, Fault, export_plug, ipmi};

struct NewPlug;

impl Plug for NewPlug {
    fn describe() -> Description {
        Description::reads(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_DESCRIPTION"),
        )
    }
}

impl BeforePhase for NewPlug {
    fn before_phase(phase: Phase) -> Result<Vec<Finding>, Fault> {
        let mut actions = Actions::new();
        if phase == Phase::Drain {
            actions.phase("site").step("Look at the power", |step| {
                match ipmi::get_power_state()? {
                    PowerState::On => step.says("the machine is on"),
                    other => step.warns(format!("the machine is {other}")),
                }
                Ok(())
            })?;
        }
        Ok(actions.findings())
    }
}

export_plug!(NewPlug: before_phase);
