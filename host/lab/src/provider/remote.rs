//! The machine itself, over SSH.

use super::command::{self, Change, Did};
use super::session::{NoSession, Session, enter, enter_accepted, enter_any_boot};
use crate::boot::Turn;
use crate::machine::{Machine, Restart, RestartCause, Stage};
use crate::release;
use crate::seat::Seat;
use crate::world::World;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wreimage_capability::remote::{
    Answering, Boot, BootReference, Command, CommandResult, Dmi, Identity, OsRelease, Provider,
    functions,
};
use wreimage_capability::{Call, Fault, Function, Polled, Reconciled, WaitPolicy, word};

pub(crate) struct Remote(pub(crate) Seat);

/// What is looked at before a reboot or a command.
#[derive(Debug, Serialize, Deserialize)]
struct Witness {
    boot_id: String,
    restarted: Option<Restart>,
}

impl Remote {
    fn session<T>(
        &self,
        call: &Call,
        at: Identity,
        see: impl FnOnce(&Session<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.0
            .look(|machine, world| see(&enter_accepted(call, machine, at, world.now)?))
    }
}

/// The identity of a `remote` call.
fn identity(arguments: &Value) -> Option<Identity> {
    serde_json::from_value(arguments.get("at")?.clone()).ok()
}

/// One look for a boot that is newer than `since`.
fn look_for_boot(
    call: &Call,
    machine: &Machine,
    world: &World,
    since: &BootReference,
    at: Answering,
) -> Polled<Boot> {
    let identities: &[Identity] = match at {
        Answering::Installer => &[Identity::Installer],
        Answering::Production => &[Identity::Production],
        Answering::Either => &[Identity::Installer, Identity::Production],
    };
    let mut seen = None;
    for &identity in identities {
        match enter(machine, identity, world.now, call.host_key.as_deref()) {
            Ok(session) => {
                let uptime = session.uptime();
                let (newer, old) = match &since.boot_id {
                    Some(before) => (
                        *before != session.boot.id,
                        format!("still boot id {before}"),
                    ),
                    None => (
                        uptime < world.now.saturating_sub(since.time_ms),
                        format!("up for {} s, longer than the wait", uptime / 1000),
                    ),
                };
                if newer {
                    return Polled::Ready(session.boot(identity));
                }
                return Polled::pending(old);
            }
            // With two identities, the one that gets furthest says most.
            Err(why) if seen.is_none_or(|other| other == NoSession::Silent) => seen = Some(why),
            Err(_) => {}
        }
    }
    Polled::pending(seen.unwrap_or(NoSession::Silent).seen(machine))
}

impl Provider for Remote {
    async fn get_uptime(&self, call: &Call, at: Identity) -> Result<u64, Fault> {
        self.session(call, at, |session| Ok(session.uptime()))
    }

    async fn get_boot_id(&self, call: &Call, at: Identity) -> Result<String, Fault> {
        // In whatever boot the machine is: the answer tells.
        self.0.look(|machine, world| {
            let session = enter_any_boot(call, machine, at, world.now)?;
            Ok(session.boot.id.clone())
        })
    }

    async fn get_kernel_command_line(&self, call: &Call, at: Identity) -> Result<String, Fault> {
        self.session(call, at, |session| Ok(session.boot.command_line.clone()))
    }

    async fn get_os_release(&self, call: &Call, at: Identity) -> Result<OsRelease, Fault> {
        self.session(call, at, |session| {
            let machine = session.machine;
            match &machine.disk {
                Some(system) if !session.installer => Ok(release::os_release(&system.release)),
                _ => Err(Fault::not_found(
                    "remote.no-os-release",
                    machine.fqdn(),
                    format!(
                        "{} has no /etc/os-release: an installer runs there",
                        machine.fqdn()
                    ),
                )),
            }
        })
    }

    async fn get_dmi(&self, call: &Call, at: Identity) -> Result<Dmi, Fault> {
        let dmi = self.session(call, at, |session| {
            let hardware = &session.machine.hardware;
            Ok(Dmi {
                serial: hardware.serial.clone(),
                machine_uuid: hardware.uuid.clone(),
            })
        })?;
        self.0.mark(
            call,
            "remote.get-dmi",
            "the serial number and UUID that the machine itself tells; the inventory's are assumed",
        );
        Ok(dmi)
    }

    async fn get_host_name(&self, call: &Call, at: Identity) -> Result<String, Fault> {
        self.session(call, at, |session| Ok(session.machine.name.clone()))
    }

    async fn wait_for_boot(
        &self,
        call: &Call,
        since: BootReference,
        at: Answering,
        _policy: WaitPolicy,
    ) -> Result<Polled<Boot>, Fault> {
        self.0
            .look(|machine, world| Ok(look_for_boot(call, machine, world, &since, at)))
    }

    async fn reboot(&self, call: &Call, at: Identity) -> Result<(), Fault> {
        self.0.change(|world, host| {
            let now = world.now;
            world
                .act(host, |machine, turn| {
                    enter_accepted(call, machine, at, now)?;
                    machine.reboot(turn, "asked to over SSH");
                    Ok(())
                })
                .unwrap_or(Ok(()))
        })
    }

    async fn run(
        &self,
        call: &Call,
        at: Identity,
        command: Command,
    ) -> Result<CommandResult, Fault> {
        let ran = self.0.change(|world, host| {
            let (now, rehearsal) = (world.now, world.rehearsal);
            world
                .act(host, |machine, turn| {
                    let session = enter_accepted(call, machine, at, now)?;
                    run_in(&session, call, &command.argv, rehearsal).inspect(|ran| {
                        if let Ran::Now { result, change, .. } = ran {
                            keep(machine, turn, call, &command.argv, result, change.as_ref());
                        }
                    })
                })
                .unwrap_or_else(|| Ok(Ran::Before(Did::says("").result())))
        })?;
        let (mut result, known) = match ran {
            Ran::Before(result) => (result, true),
            Ran::Now { result, known, .. } => (result, known),
        };
        // Not while the lab is locked: whoever listens may look at its clock.
        if !known {
            let program = command.argv.first().map_or("", String::as_str);
            call.not_previewed(format!("what `{program}` does; success is assumed"));
        }
        let output = format!("{}{}", result.stdout_tail, result.stderr_tail);
        if !output.is_empty() {
            result.blob = call.keep(output.as_bytes());
        }
        Ok(result)
    }

    async fn witness(
        &self,
        call: &Call,
        function: &'static Function,
        arguments: &Value,
    ) -> Result<Value, Fault> {
        let Some(at) = identity(arguments) else {
            return Err(Fault::other(
                "lab.witness",
                "lab",
                format!("{function} does not say at which identity"),
            ));
        };
        self.0.look(|machine, world| {
            let session = enter_any_boot(call, machine, at, world.now)?;
            serde_json::to_value(Witness {
                boot_id: session.boot.id.clone(),
                restarted: session.machine.restarted,
            })
            .map_err(|error| Fault::other("lab.witness", "lab", error.to_string()))
        })
    }

    async fn reconcile(
        &self,
        call: &Call,
        function: &'static Function,
        arguments: &Value,
        witness: &Value,
    ) -> Result<Reconciled, Fault> {
        let (Some(at), Ok(before)) = (
            identity(arguments),
            serde_json::from_value::<Witness>(witness.clone()),
        ) else {
            return Ok(Reconciled::Unknown(format!(
                "the witness of {function} cannot be read"
            )));
        };
        self.0.look(|machine, world| {
            Ok(if std::ptr::eq(function, &functions::reboot) {
                judge_reboot(machine, &before)
            } else {
                judge_command(machine, world, call, at, &before)
            })
        })
    }
}

/// What became of a command.
enum Ran {
    /// This very call ran it before; this is what it did.
    Before(CommandResult),
    Now {
        result: CommandResult,
        change: Option<Change>,
        /// Whether the lab knows what it does; otherwise a rehearsal has assumed success.
        known: bool,
    },
}

fn run_in(
    session: &Session<'_>,
    call: &Call,
    argv: &[String],
    rehearsal: bool,
) -> Result<Ran, Fault> {
    if let Some(result) = session.boot.commands.get(&call.key()) {
        return Ok(Ran::Before(result.clone()));
    }
    let Some(program) = argv.first() else {
        return Err(Fault::rejected(
            "remote.no-command",
            session.machine.fqdn(),
            "a command needs a program to run",
        ));
    };
    let did = command::run(session, argv);
    let known = did.is_some() || !rehearsal;
    let did = did.unwrap_or_else(|| {
        if rehearsal {
            Did::says("")
        } else {
            Did::unknown(program)
        }
    });
    Ok(Ran::Now {
        change: did.change.clone(),
        result: did.result(),
        known,
    })
}

/// Leaves the traces of a command: its result under its key, history, and what it changed.
fn keep(
    machine: &mut Machine,
    turn: &mut Turn<'_>,
    call: &Call,
    argv: &[String],
    result: &CommandResult,
    change: Option<&Change>,
) {
    let text = format!("runs {argv:?}: {}", word(&result.exit));
    turn.tell(machine, text.chars().take(500).collect::<String>());
    if let Some(boot) = &mut machine.boot {
        boot.commands.insert(call.key(), result.clone());
    }
    if let Some(change) = change {
        machine.apply(turn, change.clone());
    }
}

/// A reboot that was asked for shows in the boot id, and while no new one answers in the cause that the BMC keeps.
fn judge_reboot(machine: &Machine, before: &Witness) -> Reconciled {
    let restarted = machine.restarted != before.restarted;
    let by_software = machine
        .restarted
        .is_some_and(|restart| restart.cause == RestartCause::Software);
    match &machine.stage {
        Stage::Stopping => Reconciled::happened(),
        Stage::Off => Reconciled::Unknown("the machine is off".to_owned()),
        _ if restarted && by_software => Reconciled::happened(),
        _ if restarted => Reconciled::Unknown(
            "the machine was restarted, but by chassis control, not by its own system".to_owned(),
        ),
        _ if machine.boot_id() == Some(before.boot_id.as_str()) => Reconciled::DidNot,
        stage => Reconciled::Unknown(format!(
            "another system runs, and nothing says why ({stage})"
        )),
    }
}

/// A command leaves its result under its key for as long as the kernel lives.
fn judge_command(
    machine: &Machine,
    world: &World,
    call: &Call,
    at: Identity,
    before: &Witness,
) -> Reconciled {
    let session = match enter(machine, at, world.now, call.host_key.as_deref()) {
        Ok(session) => session,
        Err(why) => return Reconciled::Unknown(why.seen(machine)),
    };
    if session.boot.id != before.boot_id {
        return Reconciled::Unknown(
            "the machine was restarted since, and what ran before left no trace".to_owned(),
        );
    }
    match session.boot.commands.get(&call.key()) {
        Some(result) => match serde_json::to_value(result) {
            Ok(result) => Reconciled::Happened(result),
            Err(error) => Reconciled::Unknown(error.to_string()),
        },
        None => Reconciled::DidNot,
    }
}
