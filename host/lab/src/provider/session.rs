//! Who answers SSH at this moment, and whom it lets in.

use crate::machine::{Accepts, KernelBoot, Machine, Stage};
use crate::time::Millis;
use wreimage_capability::remote::{Boot, Identity};
use wreimage_capability::{Call, Fault, PinnedBoot};

/// At the end of a boot, connections are refused, and for the last second the server says that the system is booting.
const COMES_UP: Millis = 3000;
const SAYS_BOOTING: Millis = 1000;
/// At the begin of a shutdown, the server still lets in and answers nonsense.
const SAYS_GOING_DOWN: Millis = 3000;

/// A session on the machine.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) boot: &'a KernelBoot,
    /// Whether the installer answers, not an installed system.
    pub(crate) installer: bool,
    now: Millis,
}

/// Why there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoSession {
    /// Nothing comes back.
    Silent,
    /// The port is closed.
    Refused,
    /// Something answers that is no answer.
    Garbled(&'static str),
    /// The key is not accepted.
    AuthRefused,
    /// The site knows no host key for it.
    HostKeyUnknown,
    /// The host key is not the known one.
    HostKeyChanged,
    /// The name does not resolve.
    NoName,
}

impl Session<'_> {
    pub(crate) fn uptime(&self) -> Millis {
        self.now.saturating_sub(self.boot.started)
    }

    pub(crate) fn boot(&self, identity: Identity) -> Boot {
        Boot {
            identity,
            boot_id: self.boot.id.clone(),
            kernel_command_line: self.boot.command_line.clone(),
            uptime_ms: self.uptime(),
            extra: vec![("host-key".to_owned(), self.boot.host_key.clone())],
        }
    }
}

/// Tries to enter the machine. At the production identity `accepted` is a host key that is taken for a known one.
pub(crate) fn enter<'a>(
    machine: &'a Machine,
    identity: Identity,
    now: Millis,
    accepted: Option<&str>,
) -> Result<Session<'a>, NoSession> {
    if machine.addresses.host.is_empty() {
        return Err(NoSession::NoName);
    }
    let accepts = match &machine.stage {
        Stage::Installer { .. } => Accepts::Installer,
        Stage::OsUp => machine
            .disk
            .as_ref()
            .map_or(Accepts::Production, |system| system.accepts),
        Stage::Stopping if now.saturating_sub(machine.since) < SAYS_GOING_DOWN => {
            return Err(NoSession::Garbled("System is going down."));
        }
        Stage::Stopping => return Err(NoSession::Refused),
        Stage::InstallerBooting { .. } | Stage::OsBooting => {
            let left = machine.until.unwrap_or(now).saturating_sub(now);
            return Err(if left > COMES_UP {
                NoSession::Silent
            } else if left > SAYS_BOOTING {
                NoSession::Refused
            } else {
                NoSession::Garbled(
                    "System is booting up. Unprivileged users are not permitted to log in yet.",
                )
            });
        }
        Stage::Off | Stage::Post | Stage::NetworkBoot { .. } | Stage::NothingBootable => {
            return Err(NoSession::Silent);
        }
    };
    let Some(boot) = &machine.boot else {
        return Err(NoSession::Silent);
    };
    // SSH checks the host's key before it shows its own.
    if identity == Identity::Production && accepted != Some(boot.host_key.as_str()) {
        match &machine.known_host_key {
            None => return Err(NoSession::HostKeyUnknown),
            Some(known) if *known != boot.host_key => return Err(NoSession::HostKeyChanged),
            Some(_) => {}
        }
    }
    let fits = match identity {
        Identity::Installer => accepts == Accepts::Installer,
        Identity::Production => accepts == Accepts::Production,
    };
    if !fits {
        return Err(NoSession::AuthRefused);
    }
    Ok(Session {
        machine,
        boot,
        installer: matches!(machine.stage, Stage::Installer { .. }),
        now,
    })
}

/// Enters the machine in the boot that the run has accepted. At the installer identity it accepts the host key of the boot
/// that it has waited for, or of the first one, and no other.
pub(crate) fn enter_accepted<'a>(
    call: &Call,
    machine: &'a Machine,
    at: Identity,
    now: Millis,
) -> Result<Session<'a>, Fault> {
    let session = enter_any_boot(call, machine, at, now)?;
    match &call.pinned {
        Some(pinned) if at == Identity::Installer && pinned.boot_id != session.boot.id => {
            Err(Fault::rejected(
                "remote.another-boot",
                machine.fqdn(),
                format!(
                    "{} is in the boot {}, and this run has accepted the boot {}: it has restarted by itself",
                    machine.fqdn(),
                    session.boot.id,
                    pinned.boot_id
                ),
            ))
        }
        _ => Ok(session),
    }
}

/// The same, in whatever boot the machine is.
pub(crate) fn enter_any_boot<'a>(
    call: &Call,
    machine: &'a Machine,
    at: Identity,
    now: Millis,
) -> Result<Session<'a>, Fault> {
    let session =
        enter(machine, at, now, call.host_key.as_deref()).map_err(|why| why.fault(machine, at))?;
    if at == Identity::Production {
        return Ok(session);
    }
    let boot = session.boot;
    match &call.pinned {
        Some(pinned) if pinned.host_key != boot.host_key => Err(Fault::denied(
            wreimage_facts::code::HOST_KEY,
            machine.fqdn(),
            format!(
                "{} shows the host key {}, and this run has accepted {} in the boot {}; either the machine has restarted by \
                 itself or another one answers: find out before you continue",
                machine.fqdn(),
                boot.host_key,
                pinned.host_key,
                pinned.boot_id
            ),
        )),
        Some(_) => Ok(session),
        None => {
            call.pin(PinnedBoot {
                boot_id: boot.id.clone(),
                host_key: boot.host_key.clone(),
            })?;
            Ok(session)
        }
    }
}

pub(crate) fn word(identity: Identity) -> &'static str {
    match identity {
        Identity::Installer => "installer",
        Identity::Production => "production",
    }
}

impl NoSession {
    /// What a wait says of it.
    pub(crate) fn seen(self, machine: &Machine) -> String {
        match self {
            NoSession::Silent => format!("no answer ({})", machine.stage),
            NoSession::Refused => format!("connection refused ({})", machine.stage),
            NoSession::Garbled(text) => format!("answers {text:?} ({})", machine.stage),
            NoSession::AuthRefused => "answers but refuses the key".to_owned(),
            NoSession::HostKeyUnknown => {
                "answers with a host key that the site does not know".to_owned()
            }
            NoSession::HostKeyChanged => {
                "answers with another host key than the known one".to_owned()
            }
            NoSession::NoName => "the name does not resolve".to_owned(),
        }
    }

    pub(crate) fn fault(self, machine: &Machine, identity: Identity) -> Fault {
        let host = machine.fqdn();
        let at = word(identity);
        let stage = &machine.stage;
        let offered = machine.boot.as_ref().map_or("", |boot| &boot.host_key);
        match self {
            NoSession::Silent => Fault::unreachable(
                "remote.unreachable",
                host,
                format!("{host} does not answer SSH ({stage})"),
            ),
            NoSession::Refused => Fault::unreachable(
                "remote.refused",
                host,
                format!("{host} refuses SSH connections ({stage})"),
            ),
            NoSession::Garbled(text) => Fault::rejected(
                "remote.garbled",
                host,
                format!("{host} answers {text:?} instead of what was asked ({stage})"),
            )
            .retryable(),
            NoSession::AuthRefused => Fault::denied(
                "remote.auth-refused",
                host,
                format!("{host} refuses the {at} key: another system runs there than was expected"),
            ),
            NoSession::HostKeyUnknown => Fault::denied(
                wreimage_facts::code::HOST_KEY,
                host,
                format!(
                    "the site knows no host key of {host}, so the {at} identity does not enter it"
                ),
            )
            .with("offered", offered),
            NoSession::HostKeyChanged => Fault::denied(
                wreimage_facts::code::HOST_KEY,
                host,
                format!(
                    "the host key of {host} is not the known one: it was reinstalled, or it is another machine"
                ),
            )
            .with("offered", offered),
            NoSession::NoName => Fault::unreachable(
                "remote.unreachable",
                host,
                format!("{host} does not resolve; add its DNS record"),
            ),
        }
    }
}
