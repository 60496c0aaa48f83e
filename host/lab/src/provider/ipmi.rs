//! The BMC.

use crate::bmc::{Answers, Bmc, Override, selector};
use crate::boot::Turn;
use crate::event::Event;
use crate::machine::{Machine, RestartCause, Stage, Starts};
use crate::seat::Seat;
use crate::services_file::count_down;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wreimage_capability::ipmi::{
    BootDevice, BootFlags, BootMode, DeviceInfo, PowerAction, PowerState, Provider,
};
use wreimage_capability::{Call, Fault, Function, Reconciled, word};

pub(crate) struct Ipmi(pub(crate) Seat);

/// What is looked at before a power command.
#[derive(Debug, Serialize, Deserialize)]
struct Witness {
    on: bool,
    boot_id: Option<String>,
    restarted: Option<crate::machine::Restart>,
}

impl Witness {
    fn of(machine: &Machine) -> Self {
        Witness {
            on: machine.is_on(),
            boot_id: machine.boot_id().map(str::to_owned),
            restarted: machine.restarted,
        }
    }
}

/// The BMC, if it speaks to us.
fn bmc(machine: &Machine) -> Result<&Bmc, Fault> {
    let Some(bmc) = &machine.bmc else {
        return Err(Fault::unsupported(
            "ipmi.no-bmc",
            machine.fqdn(),
            format!("{} has no BMC", machine.name),
        ));
    };
    let name = machine.management_fqdn().unwrap_or("without a name");
    let system = format!("BMC {name}");
    if machine.addresses.management.is_empty() {
        return Err(Fault::unreachable(
            "ipmi.unreachable",
            system,
            format!("{name} does not resolve; add its DNS record"),
        ));
    }
    match bmc.answers {
        Answers::Yes => Ok(bmc),
        Answers::No => Err(Fault::unreachable(
            "ipmi.unreachable",
            system,
            format!(
                "{name} does not answer IPMI; is the management cable in, is IPMI over LAN enabled?"
            ),
        )),
        Answers::WrongPassword => Err(Fault::denied(
            "ipmi.wrong-password",
            system,
            format!("{name} refuses the password; not tried again, since BMCs lock accounts"),
        )),
        Answers::NoCipherSuite => Err(Fault::unsupported(
            "ipmi.no-cipher-suite",
            system,
            format!("{name} has neither cipher suite 17 nor 3; update its firmware"),
        )),
    }
}

fn not_set(machine: &Machine, wanted: &BootDevice, got: &Override) -> Fault {
    let name = machine.management_fqdn().unwrap_or("without a name");
    let mut fault = Fault::rejected(
        "ipmi.boot-device-not-set",
        format!("BMC {name}"),
        format!(
            "{name} was set to boot from {} and reads back {}: the machine would boot what it booted before",
            word(wanted),
            word(&got.device)
        ),
    )
    .with("raw", got.flags().raw);
    fault.retryable = true;
    fault
}

/// Tells the BMC an override and reads it back.
fn set_override(
    machine: &mut Machine,
    turn: &mut Turn<'_>,
    to: Override,
) -> Result<BootFlags, Fault> {
    bmc(machine)?;
    let installing = matches!(
        machine.stage,
        Stage::Installer { .. } | Stage::InstallerBooting { .. }
    );
    let uefi = machine.hardware.firmware == Starts::Uefi;
    let Some(bmc) = &mut machine.bmc else {
        return Ok(to.flags());
    };
    let mut told = Vec::new();
    if to.device == BootDevice::Pxe && count_down(&mut bmc.quirks.pxe_does_not_stick) {
        told.push("BMC acknowledges a forced network boot and does not keep it");
    } else if to.device == BootDevice::None && count_down(&mut bmc.quirks.does_not_clear) {
        told.push("BMC acknowledges the end of the boot override and keeps it");
    } else {
        bmc.set_override(to.clone());
        told.push(match to.device {
            BootDevice::None => "boot override cleared",
            BootDevice::Pxe if to.efi => "boot override set: network, EFI",
            BootDevice::Pxe => "boot override set: network, legacy",
            _ => "boot override set",
        });
        if let Some(after) = bmc.quirks.forgets_override_after
            && to.device != BootDevice::None
        {
            turn.events.add(
                turn.now.saturating_add(after),
                Event::OverrideForgotten {
                    host: machine.name.clone(),
                    generation: bmc.override_generation,
                },
            );
        }
        if installing && uefi && bmc.quirks.loses_boot_entry {
            bmc.boot_entry_lost = true;
            told.push("firmware loses the boot entry that the installer is writing");
        }
    }
    let holds = bmc.boot_override.clone();
    for text in told {
        turn.tell(machine, text);
    }
    if holds.device == to.device && holds.efi == to.efi {
        Ok(holds.flags())
    } else {
        Err(not_set(machine, &to.device, &holds))
    }
}

impl Machine {
    /// The BMC's timer for an override that no restart has used.
    pub(crate) fn forget_override(&mut self, turn: &mut Turn<'_>, generation: u64) {
        let Some(bmc) = &mut self.bmc else { return };
        if bmc.override_generation == generation && bmc.boot_override.device != BootDevice::None {
            bmc.set_override(Override::none());
            turn.tell(
                self,
                "BMC forgets the boot override: no restart came in time",
            );
        }
    }

    /// Does what the BMC was told; false when the action does not fit the state.
    pub(crate) fn set_power(&mut self, turn: &mut Turn<'_>, action: PowerAction) -> bool {
        match (action, self.is_on()) {
            (PowerAction::On, false) => self.power_on(turn),
            (PowerAction::Off, true) => self.power_off(turn),
            (PowerAction::Cycle, true) => self.power_cycle(turn),
            (PowerAction::On, true) | (PowerAction::Off, false) => {}
            (PowerAction::Cycle, false) => return false,
        }
        true
    }
}

impl Provider for Ipmi {
    async fn get_power_state(&self, _call: &Call) -> Result<PowerState, Fault> {
        self.0.look(|machine, _| {
            bmc(machine)?;
            Ok(if machine.is_on() {
                PowerState::On
            } else {
                PowerState::Off
            })
        })
    }

    async fn get_boot_flags(&self, _call: &Call) -> Result<BootFlags, Fault> {
        self.0
            .look(|machine, _| Ok(bmc(machine)?.boot_override.flags()))
    }

    async fn get_device_info(&self, call: &Call) -> Result<DeviceInfo, Fault> {
        let info = self.0.look(|machine, _| {
            let bmc = bmc(machine)?;
            Ok(DeviceInfo {
                manufacturer: bmc.manufacturer.clone(),
                product: bmc.product.clone(),
                serial: bmc.serial.clone(),
                guid: bmc.guid.clone(),
                firmware: bmc.firmware.clone(),
                extra: Vec::new(),
            })
        })?;
        self.0.mark(
            call,
            "ipmi.get-device-info",
            "who the BMC says the machine is was not read",
        );
        Ok(info)
    }

    async fn set_power(&self, _call: &Call, action: PowerAction) -> Result<(), Fault> {
        self.0.change(|world, host| {
            world
                .act(host, |machine, turn| {
                    bmc(machine)?;
                    if machine.set_power(turn, action) {
                        Ok(())
                    } else {
                        Err(Fault::conflict(
                            "ipmi.power-is-off",
                            format!("BMC {}", machine.management_fqdn().unwrap_or_default()),
                            format!(
                                "{} is off: a power cycle needs it on; power it on instead",
                                machine.name
                            ),
                        ))
                    }
                })
                .unwrap_or(Ok(()))
        })
    }

    async fn set_boot_device(
        &self,
        _call: &Call,
        device: BootDevice,
        mode: BootMode,
    ) -> Result<BootFlags, Fault> {
        self.0.change(|world, host| {
            world
                .act(host, |machine, turn| {
                    bmc(machine)?;
                    if selector(&device).is_none() {
                        return Err(Fault::unsupported(
                            "ipmi.boot-device",
                            format!("BMC {}", machine.management_fqdn().unwrap_or_default()),
                            format!("boot device {} is not one that IPMI knows", word(&device)),
                        ));
                    }
                    let to = if device == BootDevice::None {
                        Override::cleared()
                    } else {
                        Override {
                            valid: true,
                            persistent: false,
                            efi: mode == BootMode::Efi,
                            device,
                        }
                    };
                    set_override(machine, turn, to)
                })
                .unwrap_or_else(|| Ok(Override::none().flags()))
        })
    }

    async fn clear_boot_device(&self, call: &Call) -> Result<BootFlags, Fault> {
        let made = call.made.clone();
        let made = made.and_then(|it| serde_json::from_value::<BootFlags>(it).ok());
        self.0.change(|world, host| {
            world
                .act(host, |machine, turn| {
                    let there = bmc(machine)?.boot_override.flags().device;
                    if let Some(made) = &made
                        && there != BootDevice::None
                        && there != made.device
                    {
                        return Err(Fault::conflict(
                            "ipmi.not-ours",
                            format!("BMC {}", machine.management_fqdn().unwrap_or_default()),
                            format!(
                                "the BMC has boot device {}, and this run has set {}: somebody has set another one \
                                 since; it stays",
                                word(&there),
                                word(&made.device)
                            ),
                        ));
                    }
                    set_override(machine, turn, Override::cleared())
                })
                .unwrap_or_else(|| Ok(Override::none().flags()))
        })
    }

    async fn witness(
        &self,
        _call: &Call,
        _function: &'static Function,
        _arguments: &Value,
    ) -> Result<Value, Fault> {
        self.0.look(|machine, _| {
            bmc(machine)?;
            serde_json::to_value(Witness::of(machine))
                .map_err(|error| Fault::other("lab.witness", "lab", error.to_string()))
        })
    }

    async fn reconcile(
        &self,
        _call: &Call,
        function: &'static Function,
        arguments: &Value,
        witness: &Value,
    ) -> Result<Reconciled, Fault> {
        let action = arguments.get("action").cloned().unwrap_or_default();
        let (Ok(action), Ok(before)) = (
            serde_json::from_value::<PowerAction>(action),
            serde_json::from_value::<Witness>(witness.clone()),
        ) else {
            return Ok(Reconciled::Unknown(format!(
                "the witness of {function} cannot be read"
            )));
        };
        self.0.look(|machine, _| {
            bmc(machine)?;
            Ok(judge(action, &before, &Witness::of(machine)))
        })
    }
}

fn judge(action: PowerAction, before: &Witness, now: &Witness) -> Reconciled {
    let word = |on: bool| if on { "on" } else { "off" };
    let restarted = now.restarted != before.restarted;
    match action {
        // An action that asks for a state has happened when the state is there, whoever brought it about.
        PowerAction::On if now.on => Reconciled::happened(),
        PowerAction::Off if !now.on && !restarted => Reconciled::happened(),
        PowerAction::Cycle if now.on && restarted => match now.restarted {
            Some(restart) if restart.cause == RestartCause::ChassisControl => {
                Reconciled::happened()
            }
            _ => Reconciled::Unknown(
                "the machine was restarted, but its BMC names the running system as the cause"
                    .to_owned(),
            ),
        },
        _ if now.on == before.on && !restarted && now.boot_id == before.boot_id => {
            Reconciled::DidNot
        }
        _ => Reconciled::Unknown(format!(
            "power was {} and is {}, the machine was {}restarted since",
            word(before.on),
            word(now.on),
            if restarted { "" } else { "not " }
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Restart;

    fn seen(on: bool, boot_id: &str, restarted: Option<(u64, RestartCause)>) -> Witness {
        Witness {
            on,
            boot_id: Some(boot_id.to_owned()),
            restarted: restarted.map(|(at, cause)| Restart { at, cause }),
        }
    }

    #[test]
    fn a_lost_power_command_is_judged_by_what_the_bmc_shows() {
        use PowerAction::{Cycle, Off, On};
        use RestartCause::{ChassisControl, Software};
        let up = || seen(true, "a", None);
        let down = || seen(false, "a", None);
        let rows = [
            (
                Cycle,
                up(),
                seen(true, "a", Some((5, ChassisControl))),
                "happened",
            ),
            (Cycle, up(), up(), "did not"),
            (Cycle, up(), seen(true, "b", Some((5, Software))), "unknown"),
            (Cycle, up(), down(), "unknown"),
            (
                On,
                down(),
                seen(true, "a", Some((5, ChassisControl))),
                "happened",
            ),
            (On, down(), down(), "did not"),
            (Off, up(), down(), "happened"),
            (Off, up(), up(), "did not"),
            (
                Off,
                up(),
                seen(true, "b", Some((5, ChassisControl))),
                "unknown",
            ),
        ];
        for (action, before, now, expected) in rows {
            let verdict = match judge(action, &before, &now) {
                Reconciled::Happened(_) => "happened",
                Reconciled::DidNot => "did not",
                Reconciled::Unknown(_) => "unknown",
            };
            assert_eq!(verdict, expected, "{action:?} {before:?} {now:?}");
        }
    }
}
