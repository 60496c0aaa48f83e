//! Every script as it is sent, by ShellCheck.

use crate::install_server::{LIBRARY, Script};
use crate::lease::{CLAIMS, REQUESTS};
use std::io::Write;
use std::process::{Command, Stdio};

const AUTOMATION: &str = include_str!("dhcp/automation.sh");

/// Variables that the controller sets.
const VARIABLES: [&str; 41] = [
    "proc",
    "state",
    "entries",
    "proxy",
    "who",
    "patient",
    "most",
    "host",
    "run",
    "entry",
    "snippet",
    "digest",
    "period",
    "timer",
    "leased",
    "lease",
    "lease_wait",
    "mode",
    "most_bytes",
    "folder",
    "programs",
    "scheduler",
    "schedule_by",
    "request",
    "ttl",
    "identities",
    "over",
    "over_run",
    "right",
    "tokens",
    "claim_fqdn",
    "claim_serial",
    "claim_uuid",
    "claim_mac",
    "claim_bmc",
    "claim_run",
    "claim_token",
    "claim_controller",
    "claim_controller_boot",
    "claim_actor",
    "claim_uid",
];
const MORE: [&str; 4] = [
    "claim_lock_inode",
    "claim_phase",
    "claim_length",
    "claim_sum",
];
const COMMANDS: [&str; 9] = [
    "command_of_site",
    "include",
    "running",
    "started",
    "schedule",
    "scheduled",
    "unschedule",
    "each_entry",
    "each_claim",
];

#[test]
fn every_script_is_clean() {
    let version = Command::new("shellcheck").arg("--version").output();
    assert!(
        version.is_ok_and(|it| it.status.success()),
        "the program `shellcheck` is not installed; this test needs it: apt-get install shellcheck"
    );
    for (name, parts) in [
        (
            "publish",
            vec![AUTOMATION, CLAIMS, include_str!("dhcp/publish.sh")],
        ),
        (
            "withdraw",
            vec![AUTOMATION, CLAIMS, include_str!("dhcp/withdraw.sh")],
        ),
        (
            "look",
            vec![AUTOMATION, CLAIMS, include_str!("dhcp/look.sh")],
        ),
        ("renew", vec![AUTOMATION, include_str!("dhcp/renew.sh")]),
        ("expire", vec![AUTOMATION, include_str!("dhcp/expire.sh")]),
        (
            "check",
            vec![AUTOMATION, CLAIMS, include_str!("dhcp/check.sh")],
        ),
        ("requests", vec![CLAIMS, REQUESTS]),
        ("command", vec![include_str!("install_server/command.sh")]),
    ] {
        let mut parts = parts;
        parts.insert(0, LIBRARY);
        let mut script = Script::new(&parts);
        for variable in VARIABLES.iter().chain(&MORE) {
            script = script.set(variable, "a value");
        }
        for command in COMMANDS {
            script = script.command(command, &["true"]);
        }
        // A script need not call each function of the libraries, nor use each variable.
        let mut child = Command::new("shellcheck")
            .args([
                "--shell=sh",
                "--severity=style",
                "--exclude=SC2317,SC2034",
                "-",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text = script.text();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {words}");
    }
}
