//! What fuzz targets call: the readers of what other systems send.

use crate::install_server::{Answer, Waiting};
use crate::ipmi::{answers as bmc, classify, identity};
use crate::remote::{answers, unit_answers};
use crate::ssh::known_hosts::{HostKeysOf, Verdict};
use crate::{dhcp, lease};
use crate::{pattern, redact, ssh};
use russh::keys::PublicKey;

/// Reads a file of known host keys for one host, and judges a key that it does not have. False when the file would accept it.
pub fn known_hosts(text: &str, name: &str, port: u16) -> bool {
    const STRANGER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    let keys = HostKeysOf::parse(text, name, port);
    keys.algorithms();
    let Ok(stranger) = STRANGER.parse::<PublicKey>() else {
        return true;
    };
    keys.verdict(&stranger) != Verdict::Known || text.contains("AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9")
}

/// Reads what `ipmitool` printed, as each request does.
pub fn ipmi_answer(stdout: &str, stderr: &str) {
    let bytes = bmc::raw_bytes(stdout);
    bmc::power_state(&bytes);
    bmc::boot_flags(&bytes);
    bmc::restart_cause(&bytes);
    identity::guid(&bytes, None);
    identity::guid(&bytes, Some("4c4c4544-0031-3210-8033-b4c04f354333"));
    let fields = identity::fields(stdout);
    identity::serial(&fields, Some("SER1001"));
    classify::failure(stderr, stdout);
}

/// Reads what the scripts on a machine printed, as each command does.
pub fn script_answer(stdout: &str) {
    let text = answers::answer(stdout).unwrap_or(stdout);
    answers::uptime(text);
    answers::boot_id(text);
    answers::line(text);
    answers::boot(text);
    answers::os_release(text);
    answers::dmi(text);
    unit_answers::read_answer(text);
}

/// Reads what the scripts on the install server printed, as each request does.
pub fn install_server_answer(stdout: &str) {
    Waiting::default().push(stdout.as_bytes());
    if let Ok(answer) = Answer::parse(stdout.as_bytes()) {
        lease::read_answer(&answer);
        dhcp::read_answer(&answer);
    }
}

/// The arguments as one string for a shell.
pub fn quote(argv: &[String]) -> String {
    ssh::quote(argv)
}

/// Whether a command is one of a pattern.
pub fn command_matches(pattern: &[String], argv: &[String]) -> bool {
    pattern::command_matches(pattern, argv)
}

/// The text without these secrets, as every sink gets it.
pub fn redact(secrets: &[&str], text: &str) -> String {
    redact::without_these(secrets, text)
}

/// The end of a stream whose begin was cut off, at most `most` bytes of it, without these secrets.
pub fn tail(secrets: &[&str], bytes: &[u8], most: usize) -> String {
    redact::tail_without_these(secrets, bytes, most)
}

/// Reads an inventory file. False when it is refused.
pub fn inventory(text: &str) -> bool {
    toml::from_str::<crate::netbox::InventoryFile>(text).is_ok()
}
