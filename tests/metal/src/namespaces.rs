//! Network namespaces with names that tell whose they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{Watcher, run};

/// Where `ip netns` keeps its names.
const DIRECTORY: &str = "/run/netns";
const PREFIX: &str = "wrmetal";
const LIMIT: Duration = Duration::from_secs(20);

/// The identity of one rig: `<pid>-<start of the process>-<number of the rig>`.
#[derive(Debug, Clone)]
pub struct Owner(String);

impl Owner {
    /// A new one for this process.
    ///
    /// # Errors
    ///
    /// `/proc` cannot be read.
    pub fn new() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let pid = std::process::id();
        let started = start_of(pid).context("cannot read the start of this process in /proc")?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Self(format!("{pid}-{started}-{number}")))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the process that an owner's name tells of still runs. A pid alone
/// may have been given to somebody else meanwhile.
pub fn owner_is_alive(name: &str) -> bool {
    let mut parts = name.split('-');
    let (Some(pid), Some(started)) = (parts.next(), parts.next()) else {
        return false;
    };
    pid.parse()
        .ok()
        .and_then(start_of)
        .is_some_and(|now| now == started)
}

/// Field 22 of `/proc/PID/stat`: the start of the process in ticks since boot.
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may hold blanks.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}

/// The rig's namespaces, which its janitor removes.
#[derive(Debug)]
pub struct Namespaces {
    owner: Owner,
    _janitor: Watcher,
}

/// One namespace of the rig.
#[derive(Debug, Clone)]
pub struct Namespace(String);

impl Namespaces {
    /// Makes namespaces with these short names and removes those that a killed
    /// run has left. `janitor` is the script that will remove the new ones.
    ///
    /// # Errors
    ///
    /// `ip netns` failed.
    pub fn create(owner: &Owner, short: &[&str], janitor: &Path) -> Result<Self> {
        remove_stale(janitor)?;
        let names: Vec<String> = short.iter().map(|name| full(owner, name)).collect();
        // First the one who cleans up, then what has to be cleaned up.
        let mut command = Command::new("sh");
        command.arg(janitor).args(&names);
        let watcher = Watcher::start(&command)?;
        for name in &names {
            run(Command::new("ip").args(["netns", "add", name]), LIMIT)?;
            ip(name, "link set lo up")?;
        }
        Ok(Self {
            owner: owner.clone(),
            _janitor: watcher,
        })
    }

    /// One of them.
    pub fn get(&self, short: &str) -> Namespace {
        Namespace(full(&self.owner, short))
    }
}

fn full(owner: &Owner, short: &str) -> String {
    format!("{PREFIX}-{}-{short}", owner.as_str())
}

fn ip(name: &str, arguments: &str) -> Result<()> {
    run(
        Command::new("ip")
            .args(["-n", name])
            .args(arguments.split_whitespace()),
        LIMIT,
    )?;
    Ok(())
}

/// Removes the namespaces of rigs whose process is gone.
fn remove_stale(janitor: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(DIRECTORY) else {
        return Ok(());
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let stale = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|owner| !owner_is_alive(owner));
        if stale {
            // The same script, whose standard input is at its end at once.
            run(Command::new("sh").arg(janitor).arg(&name), LIMIT)?;
        }
    }
    Ok(())
}

impl Namespace {
    /// The name, for `ip netns exec NAME`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.0)
    }

    /// A command that runs in it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).arg(program);
        command
    }

    /// `ip -n NAME ARGUMENTS`; the arguments are words with blanks between them.
    ///
    /// # Errors
    ///
    /// `ip` failed.
    pub fn ip(&self, arguments: &str) -> Result<()> {
        ip(&self.0, arguments)
    }

    /// Sets a kernel parameter of the namespace, `net/ipv4/ip_forward` for example.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn sysctl(&self, parameter: &str, value: &str) -> Result<()> {
        let mut command = self.command("sh");
        command.args(["-c", &format!("echo {value} >/proc/sys/{parameter}")]);
        run(&command, LIMIT)?;
        Ok(())
    }
}
