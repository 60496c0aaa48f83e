//! The run's host itself, over SSH.

use crate::WaitPolicy;
pub use crate::bindings::wreimage::remote::remote::{
    Answering, Boot, BootReference, Command, CommandResult, Dmi, Exit, Identity, OsRelease,
};
use crate::role::{self, AtLogin, Entry, Login, MachineIdentity, Role, Subject};
use serde_json::{Value, json};

crate::table::effects! {
    /// Looks at the run's host and acts on it from inside.
    remote "wreimage:remote/remote@0.1.0" served by Provider in crate::bindings::wreimage::remote::remote,
        acts on Subject::System(|_, arguments| login(arguments).map(Entry::At));
    read get_uptime(at: Identity) -> u64;
    read get_boot_id(at: Identity) -> String;
    read get_kernel_command_line(at: Identity) -> String;
    read get_os_release(at: Identity) -> OsRelease,
        role Role::OperatingSystem(AtLogin { arguments: at, read: operating_system });
    read get_dmi(at: Identity) -> Dmi,
        role Role::SystemIdentity(AtLogin { arguments: at, read: identity });
    read get_host_name(at: Identity) -> String;
    wait wait_for_boot(since: BootReference, at: Answering, policy: WaitPolicy) -> Boot,
        role Role::AwaitsBoot(boot);
    once reboot(at: Identity) -> (),
        role Role::Power(|_| true);
    once run(at: Identity, command: Command) -> CommandResult;
}

/// The identity that the arguments of a function name; `None` where they name none, or leave it open.
pub(crate) fn login(arguments: &Value) -> Option<Login> {
    match arguments.get("at")?.as_str()? {
        "Installer" => Some(Login::Installer),
        "Production" => Some(Login::Production),
        _ => None,
    }
}

/// Arguments that name this identity and nothing else.
pub(crate) fn at(login: Login) -> Value {
    json!({ "at": Identity::from(login) })
}

impl From<Login> for Identity {
    fn from(login: Login) -> Self {
        match login {
            Login::Installer => Identity::Installer,
            Login::Production => Identity::Production,
        }
    }
}

impl From<Identity> for Login {
    fn from(identity: Identity) -> Self {
        match identity {
            Identity::Installer => Login::Installer,
            Identity::Production => Login::Production,
        }
    }
}

fn operating_system(answer: &Value) -> Option<String> {
    let os: OsRelease = serde_json::from_value(answer.clone()).ok()?;
    Some(match os.pretty_name.is_empty() {
        true => format!("{} {}", os.id, os.version_id),
        false => os.pretty_name,
    })
}

fn identity(answer: &Value) -> Option<MachineIdentity> {
    let dmi: Dmi = serde_json::from_value(answer.clone()).ok()?;
    Some(MachineIdentity {
        serial: dmi.serial,
        uuid: dmi.machine_uuid,
    })
}

fn boot(answer: &Value) -> Option<role::Boot> {
    let boot: Boot = serde_json::from_value(answer.clone()).ok()?;
    let key = boot.extra.into_iter().find(|(name, _)| name == "host-key");
    Some(role::Boot {
        id: boot.boot_id,
        at: boot.identity.into(),
        kernel_command_line: boot.kernel_command_line,
        host_key: key.map(|(_, key)| key),
    })
}
