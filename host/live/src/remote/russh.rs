//! The live provider of `remote`: the built-in SSH client. Each call has a connection of its own: a machine that reboots
//! leaves nothing behind that could be mistaken for an answer.

use super::answers;
use super::command::{Commands, lost_command};
use super::lost::{self, LOST_REBOOT};
use super::machine::{Machine, Ways, word};
use crate::ssh::quote;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use wreimage_capability::remote::{
    Answering, Boot, BootReference, Command, CommandResult, Dmi, Exit, Identity, OsRelease,
    Provider,
};
use wreimage_capability::{
    Call, Clock, Fault, Function, Polled, Reconciled, SystemClock, WaitPolicy, to_millis,
};
use wreimage_facts::code;

/// A login that began while the machine went down hangs until its deadline, and the next boot would be seen only then.
/// After this long another look is taken beside it.
const HANGS: Duration = Duration::from_millis(1200);

/// Speaks to one host.
pub(crate) struct SshRemote {
    ways: Arc<Ways>,
    reboot: Vec<String>,
    commands: Commands,
}

impl SshRemote {
    /// `allow` are the patterns of the commands that a guest may run.
    pub(crate) fn new(ways: Arc<Ways>, reboot: &[String], allow: &[Vec<String>]) -> Self {
        SshRemote {
            commands: Commands::new(allow),
            ways,
            reboot: reboot.to_vec(),
        }
    }

    async fn parsed<T>(
        &self,
        call: &Call,
        at: Identity,
        command: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        let machine = self.ways.of(call)?;
        let text = machine.read(at, command).await?;
        parse(&text).ok_or_else(|| machine.garbage(command, &text))
    }

    /// One look at these identities, over one connection.
    async fn look(
        &self,
        machine: &Machine,
        identities: &[Identity],
        since: &BootReference,
    ) -> Result<Result<Boot, String>, Fault> {
        let seen = match machine.boot(identities).await {
            Ok(seen) => seen,
            Err(faults) => return pending(faults),
        };
        let new = match &since.boot_id {
            Some(before) => *before != seen.boot_id,
            None => seen.uptime_ms < to_millis(SystemClock.now()).saturating_sub(since.time_ms),
        };
        if !new {
            return Ok(Err(format!(
                "{}: still the boot {}, up for {} s",
                word(seen.at),
                seen.boot_id,
                seen.uptime_ms / 1000
            )));
        }
        Ok(Ok(Boot {
            identity: seen.at,
            boot_id: seen.boot_id,
            kernel_command_line: seen.kernel_command_line,
            uptime_ms: seen.uptime_ms,
            extra: vec![("host-key".to_owned(), seen.host_key)],
        }))
    }

    /// A look that a login which hangs does not hold up.
    async fn look_past_hangs(
        &self,
        machine: &Machine,
        identities: &[Identity],
        since: &BootReference,
    ) -> Result<Result<Boot, String>, Fault> {
        let first = self.look(machine, identities, since);
        tokio::pin!(first);
        tokio::select! {
            seen = &mut first => seen,
            seen = async {
                sleep(HANGS).await;
                self.look(machine, identities, since).await
            } => seen,
        }
    }
}

/// Why nothing was seen; faults that no boot of the machine mends end the wait.
fn pending(faults: Vec<(Identity, Fault)>) -> Result<Result<Boot, String>, Fault> {
    let mut reasons = Vec::new();
    for (at, fault) in faults {
        // Another key of the installer in the same boot is no sign of a machine that comes up.
        let own = code::OWN_KEY.contains(&fault.code.as_str());
        if own || (at == Identity::Installer && fault.code == code::HOST_KEY) {
            return Err(fault);
        }
        reasons.push(format!("{}: {}", word(at), fault.message));
    }
    Ok(Err(reasons.join("; ")))
}

fn identity(arguments: &Value) -> Option<Identity> {
    serde_json::from_value(arguments.get("at")?.clone()).ok()
}

impl Provider for SshRemote {
    async fn get_uptime(&self, call: &Call, at: Identity) -> Result<u64, Fault> {
        self.parsed(call, at, answers::UPTIME, answers::uptime)
            .await
    }

    async fn get_boot_id(&self, call: &Call, at: Identity) -> Result<String, Fault> {
        self.ways.of(call)?.boot_id_at(at).await
    }

    async fn get_kernel_command_line(&self, call: &Call, at: Identity) -> Result<String, Fault> {
        self.parsed(call, at, answers::COMMAND_LINE, answers::line)
            .await
    }

    async fn get_os_release(&self, call: &Call, at: Identity) -> Result<OsRelease, Fault> {
        let machine = self.ways.of(call)?;
        let connection = machine.connect(at).await?;
        let ended = machine.perform(&connection, answers::OS_RELEASE).await;
        connection.close().await;
        let ended = ended?;
        if ended.exit == Exit::Status(answers::NO_FILE) {
            return Err(Fault::not_found(
                "remote.no-os-release",
                machine.system(),
                format!(
                    "{} has no /etc/os-release, as an installer",
                    machine.names.fqdn
                ),
            ));
        }
        let text = machine.judge("os-release", &ended)?;
        answers::os_release(&text).ok_or_else(|| machine.garbage("os-release", &text))
    }

    async fn get_dmi(&self, call: &Call, at: Identity) -> Result<Dmi, Fault> {
        self.parsed(call, at, answers::DMI, answers::dmi).await
    }

    async fn get_host_name(&self, call: &Call, at: Identity) -> Result<String, Fault> {
        self.parsed(call, at, answers::HOST_NAME, answers::line)
            .await
    }

    async fn wait_for_boot(
        &self,
        call: &Call,
        since: BootReference,
        at: Answering,
        _policy: WaitPolicy,
    ) -> Result<Polled<Boot>, Fault> {
        // A host key that is known, and the production key, tell an installed system from anything else.
        let identities: &[Identity] = match at {
            Answering::Installer => &[Identity::Installer],
            Answering::Production => &[Identity::Production],
            Answering::Either => &[Identity::Production, Identity::Installer],
        };
        let machine = self.ways.of(call)?;
        Ok(
            match self.look_past_hangs(&machine, identities, &since).await? {
                Ok(boot) => Polled::Ready(boot),
                Err(why) => Polled::pending(why),
            },
        )
    }

    async fn reboot(&self, call: &Call, at: Identity) -> Result<(), Fault> {
        let machine = self.ways.of(call)?;
        let connection = machine
            .connect(at)
            .await
            .map_err(|fault| lost::not_sent("the reboot", fault))?;
        let program = self.reboot.first().map(String::as_str).unwrap_or_default();
        // Detached, and a second later, so that the answer gets out before the network goes.
        let command = format!(
            "command -v {} >/dev/null 2>&1 || exit 127; (trap '' HUP; sleep 1; exec {}) </dev/null >/dev/null 2>&1 &",
            quote(&[program]),
            quote(&self.reboot)
        );
        let ended = connection.exec(&command, self.ways.read_timeout).await;
        connection.close().await;
        match ended
            .map_err(|failure| lost_command(&machine, "the reboot", failure))?
            .exit
        {
            Exit::Status(0) => Ok(()),
            exit => Err(Fault::rejected(
                "remote.reboot-refused",
                machine.system(),
                format!(
                    "{} cannot be restarted: `{program}` ended with {}; correct `remote.reboot` in the site file",
                    machine.names.fqdn,
                    wreimage_capability::word(&exit)
                ),
            )),
        }
    }

    async fn run(
        &self,
        call: &Call,
        at: Identity,
        command: Command,
    ) -> Result<CommandResult, Fault> {
        let machine = self.ways.of(call)?;
        self.commands.run(&machine, call, at, command).await
    }

    async fn witness(
        &self,
        call: &Call,
        _function: &'static Function,
        arguments: &Value,
    ) -> Result<Value, Fault> {
        let at = identity(arguments).unwrap_or(Identity::Production);
        Ok(json!({ "boot-id": self.ways.of(call)?.boot_id_at(at).await? }))
    }

    async fn reconcile(
        &self,
        call: &Call,
        function: &'static Function,
        arguments: &Value,
        witness: &Value,
    ) -> Result<Reconciled, Fault> {
        let at = identity(arguments).unwrap_or(Identity::Production);
        let Some(before) = witness.get("boot-id").and_then(Value::as_str) else {
            return Ok(Reconciled::Unknown("no boot id was read before".to_owned()));
        };
        let machine = self.ways.of(call)?;
        if function.name == "reboot" {
            let look = || machine.any_boot_id_at(at);
            return Ok(lost::reboot(&machine.names.fqdn, before, &LOST_REBOOT, look).await);
        }
        let name = &machine.names.fqdn;
        if let Some(verdict) = self
            .commands
            .find(&machine, call, at, arguments, before)
            .await?
        {
            return Ok(verdict);
        }
        Ok(Reconciled::Unknown(match machine.boot_id_at(at).await {
            Ok(now) if now == before => format!(
                "{name} has not rebooted since; whether the command ran, or is still running, must be checked \
                 there"
            ),
            Ok(_) => {
                format!("{name} has rebooted since; whether the command ran before is not known")
            }
            Err(fault) => format!("{name} cannot be asked: {}", fault.message),
        }))
    }
}
