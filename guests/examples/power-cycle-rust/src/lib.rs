//! The same small runbook as `power-cycle-python` and `power-cycle-js`: checks a machine, power cycles it from its disk and
//! waits for a boot that is new.

use std::time::Duration;
use wreimage_sdk::ipmi::{BootDevice, BootMode, PowerAction, PowerState};
use wreimage_sdk::remote::{Answering, Boot, BootReference, Identity};
use wreimage_sdk::{
    Actions, Description, Fault, FaultKind, Guest, OptionSpec, Options, Outcome, Request,
    WaitPolicy, clock, ipmi, prompt, remote,
};

/// How long a machine takes to come up, at most.
const BOOT: WaitPolicy = WaitPolicy::new(Duration::from_secs(1800), Duration::from_secs(10));

struct PowerCycle;

impl Guest for PowerCycle {
    fn describe() -> Description {
        Description::mutates(
            "power-cycle-rust",
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_DESCRIPTION"),
        )
        .with_options([OptionSpec::toggle(
            "no-prompt",
            "Do not ask before the power cycle",
        )])
    }

    fn run(request: &Request) -> Result<Outcome, Fault> {
        let host = &request.host;
        let mut actions = Actions::new();

        actions.phase("check").step("Read the power state", |step| {
            let state = ipmi::get_power_state()?;
            if state != PowerState::On {
                return Err(Fault::new(
                    FaultKind::Other("power-cycle.not-on".to_owned()),
                    "power-cycle.not-on",
                    "guest",
                    format!("{host} is not on, so nothing says that it would come up: look at it first"),
                ));
            }
            step.says("the machine is on");
            Ok(())
        })?;
        let before = actions.phase("check").value("Read the boot id", |step| {
            let boot_id = remote::get_boot_id(Identity::Production)?;
            step.evidence("boot id", &boot_id);
            Ok(BootReference {
                boot_id: Some(boot_id),
                time_ms: clock::now_ms()?,
            })
        })?;

        let wanted = Options::from(request).toggle("no-prompt")
            || prompt::confirm(&format!("Power cycle {host} now?"))?;
        if !wanted {
            return Ok(actions.outcome(&format!("{host} was left alone.")));
        }

        actions.phase("cycle").step("Boot from disk next", |step| {
            let flags = ipmi::set_boot_device(&BootDevice::Disk, BootMode::Legacy)?;
            step.evidence("boot flags", &flags.raw);
            Ok(())
        })?;
        actions.phase("cycle").step("Power cycle", |step| {
            ipmi::set_power(PowerAction::Cycle)?;
            step.says("told the BMC");
            Ok(())
        })?;
        let boot: Boot = actions.phase("cycle").long_value(
            "Wait for a new boot",
            Duration::from_secs(300),
            |step| {
                let boot = remote::wait_for_boot(&before, Answering::Production, BOOT)?;
                step.says(format!("up again, {} s old", boot.uptime_ms / 1000));
                step.evidence("boot id", &boot.boot_id);
                Ok(boot)
            },
        )?;
        clock::sleep(Duration::from_secs(5))?;
        actions.phase("settle").step("Look at what runs", |step| {
            let release = remote::get_os_release(boot.identity)?;
            step.says(release.pretty_name);
            Ok(())
        })?;
        Ok(actions.outcome(&format!("{host} was power cycled and is up again.")))
    }
}

wreimage_sdk::export!(PowerCycle);
