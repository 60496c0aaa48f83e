//! A client on another port of the switch, which must get nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::namespaces::Namespace;
use crate::process::run_any;
use crate::template::{template, text, write};

/// Asks three times for a lease; tells the address, if any was given.
///
/// # Errors
///
/// `udhcpc` could not ask, which is not the same as getting no answer.
pub(crate) fn ask_for_lease(namespace: &Namespace, work: &Path) -> Result<Option<String>> {
    let script = work.join("udhcpc.sh");
    write(&script, template!("udhcpc.sh"), 0o755)?;
    let lease = work.join("other-port.lease");
    let _ = std::fs::remove_file(&lease);
    let mut command = namespace.command("busybox");
    command
        .args([
            "udhcpc",
            "-f",
            "-q",
            "-n",
            "-t",
            "3",
            "-T",
            "1",
            "-i",
            "eth0",
            "-s",
            text(&script)?,
        ])
        .env("LEASE_FILE", &lease);
    let output = run_any(&command, Duration::from_secs(20))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if let Ok(text) = std::fs::read_to_string(&lease) {
        let address = text
            .split_whitespace()
            .find_map(|word| word.strip_prefix("IP="));
        return Ok(Some(address.unwrap_or_default().to_owned()));
    }
    // Silence is an answer only if the question was sent.
    if !said.contains("broadcasting discover") && !said.contains("sending discover") {
        bail!("the client on the other port did not ask:\n{said}");
    }
    Ok(None)
}
