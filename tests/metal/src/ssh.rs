//! Looking at the machine with a plain `ssh`.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::keys::{KeyPair, Keys};
use crate::namespaces::Namespace;
use crate::process::run_any;

/// As whom one comes to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The key of the old OS, and the host keys that are known.
    Production,
    /// The key of the installer and of the new OS, whatever the host key.
    Installer,
}

/// A connection is refused or hangs while the machine boots.
const CONNECT_SECONDS: u32 = 2;
const LIMIT: Duration = Duration::from_secs(30);

/// One command at one address; the exit status 255 is ssh's own.
pub(crate) fn ssh(
    controller: &Namespace,
    keys: &Keys,
    key: &KeyPair,
    check_host_key: bool,
    address: &str,
    command: &str,
) -> Result<Output> {
    let (known_hosts, strict) = if check_host_key {
        (keys.known_hosts(), "yes")
    } else {
        (Path::new("/dev/null"), "no")
    };
    let mut ssh = controller.command("ssh");
    ssh.args([
        "-F",
        "/dev/null",
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
    ]);
    ssh.args([
        "-o",
        "LogLevel=ERROR",
        "-o",
        &format!("ConnectTimeout={CONNECT_SECONDS}"),
    ]);
    ssh.args(["-o", &format!("StrictHostKeyChecking={strict}"), "-o"]);
    // Quotes, because ssh takes several files here and a path may have blanks.
    ssh.arg(format!("UserKnownHostsFile=\"{}\"", known_hosts.display()));
    ssh.arg("-i").arg(key.private());
    ssh.arg(format!("root@{address}")).arg(command);
    run_any(&ssh, LIMIT)
}

/// The standard output of a command that must have ended with 0.
pub(crate) fn stdout(output: &Output) -> Result<String> {
    if !output.status.success() {
        bail!(
            "ssh: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}
