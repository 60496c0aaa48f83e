//! The few commands that the lab's machines know.

use super::session::Session;
use crate::release;
use wreimage_capability::remote::{CommandResult, Exit};

/// What a command says and what it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Did {
    pub(crate) status: u32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) change: Option<Change>,
}

/// What a command changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Mask(Vec<String>),
    Unmask(Vec<String>),
    Reboot,
}

impl Did {
    pub(crate) fn says(stdout: impl Into<String>) -> Self {
        Did {
            status: 0,
            stdout: stdout.into(),
            stderr: String::new(),
            change: None,
        }
    }

    fn status(status: u32, stderr: impl Into<String>) -> Self {
        Did {
            status,
            stdout: String::new(),
            stderr: stderr.into(),
            change: None,
        }
    }

    fn changes(change: Change, stderr: String) -> Self {
        Did {
            change: Some(change),
            ..Did::status(0, stderr)
        }
    }

    pub(crate) fn unknown(program: &str) -> Self {
        let shown: String = program.chars().take(200).collect();
        Did::status(127, format!("{shown}: command not found\n"))
    }

    pub(crate) fn result(self) -> CommandResult {
        CommandResult {
            exit: Exit::Status(self.status),
            stdout_tail: self.stdout,
            stderr_tail: self.stderr,
            blob: None,
            extra: Vec::new(),
        }
    }
}

/// Runs a command; `None` for one that the lab does not know.
pub(crate) fn run(session: &Session<'_>, argv_given: &[String]) -> Option<Did> {
    let argv: Vec<&str> = argv_given.iter().map(String::as_str).collect();
    let (program, arguments) = argv.split_first()?;
    // An installer has a shell and little else.
    let system = session.machine.disk.as_ref().filter(|_| !session.installer);
    Some(match (*program, arguments) {
        ("true", _) => Did::says(""),
        ("false", _) => Did::status(1, ""),
        ("echo", words) => Did::says(format!("{}\n", words.join(" "))),
        ("cat", ["/proc/cmdline"]) => Did::says(format!("{}\n", session.boot.command_line)),
        ("cat", ["/proc/sys/kernel/random/boot_id"]) => Did::says(format!("{}\n", session.boot.id)),
        ("cat", ["/proc/uptime"]) => {
            let uptime = session.uptime();
            let seconds = format!("{}.{:02}", uptime / 1000, uptime % 1000 / 10);
            Did::says(format!("{seconds} {seconds}\n"))
        }
        ("hostname", []) => Did::says(format!("{}\n", session.machine.name)),
        ("hostname", ["-f" | "--fqdn"]) => Did::says(format!("{}\n", session.machine.fqdn())),
        ("cat", ["/etc/os-release"]) => match system {
            Some(system) => Did::says(release::os_release_text(&system.release)),
            None => Did::status(1, "cat: /etc/os-release: No such file or directory\n"),
        },
        ("uname", ["-r"]) => Did::says(format!("{}\n", release::kernel(system?.release.as_str()))),
        ("cat", ["/proc/mdstat"]) => Did::says(mdstat(session.machine.condition.raid_degraded)),
        ("systemctl", ["is-system-running"]) => {
            system?;
            if session.machine.condition.failed_units.is_empty() {
                Did::says("running\n")
            } else {
                Did {
                    status: 1,
                    ..Did::says("degraded\n")
                }
            }
        }
        ("systemctl", ["--failed", "--plain", "--no-legend"]) => {
            system?;
            let units = session.machine.condition.failed_units.iter();
            Did::says(
                units
                    .map(|unit| format!("{unit} loaded failed failed {unit}\n"))
                    .collect::<String>(),
            )
        }
        ("lsb_release", ["-sc"]) => Did::says(format!("{}\n", system?.release)),
        ("systemctl", ["is-enabled", unit]) => {
            if system?.masked.contains(*unit) {
                Did {
                    status: 1,
                    ..Did::says("masked\n")
                }
            } else {
                Did::says("enabled\n")
            }
        }
        _ => {
            let change = change(argv_given)?;
            let text = match &change {
                Change::Reboot => String::new(),
                Change::Mask(_) | Change::Unmask(_) if system.is_none() => return None,
                Change::Mask(units) => units
                    .iter()
                    .map(|unit| {
                        format!("Created symlink /etc/systemd/system/{unit} → /dev/null.\n")
                    })
                    .collect(),
                Change::Unmask(units) => units
                    .iter()
                    .map(|unit| format!("Removed /etc/systemd/system/{unit}.\n"))
                    .collect(),
            };
            Did::changes(change, text)
        }
    })
}

/// A mirror of two disks, as the kernel tells it.
fn mdstat(degraded: bool) -> String {
    let (members, count, state) = if degraded {
        ("sda2[0] sdb2[1](F)", "2/1", "U_")
    } else {
        ("sda2[0] sdb2[1]", "2/2", "UU")
    };
    format!(
        "Personalities : [raid1]\nmd0 : active raid1 {members}\n      468593664 blocks super 1.2 [{count}] [{state}]\n\n\
         unused devices: <none>\n"
    )
}

/// What a command changes, wherever it runs.
pub(crate) fn change(argv: &[String]) -> Option<Change> {
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    match argv.as_slice() {
        ["reboot"] | ["systemctl", "reboot"] => Some(Change::Reboot),
        ["systemctl", "mask", units @ ..] if !units.is_empty() => names(units).map(Change::Mask),
        ["systemctl", "unmask", units @ ..] if !units.is_empty() => {
            names(units).map(Change::Unmask)
        }
        _ => None,
    }
}

/// Names of units; `None` when one is none, so that an option or a path is not taken for a unit.
fn names(units: &[&str]) -> Option<Vec<String>> {
    units
        .iter()
        .map(|unit| {
            let good = !unit.is_empty()
                && !unit.starts_with('-')
                && unit.len() <= 255
                && unit
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b));
            good.then(|| (*unit).to_owned())
        })
        .collect()
}
