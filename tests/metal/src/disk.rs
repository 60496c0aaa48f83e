//! The disk of the machine, with the old OS on it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::image::Image;
use crate::keys::Keys;
use crate::machine::{FQDN, NAME};
use crate::network::{MACHINE_ADDRESS, SWITCH_ADDRESS};
use crate::process::run_any;
use crate::template::{directory, text, write};

/// A file that only the old OS has.
pub const MARKER: &str = "/root/old-os-marker";
/// Larger than the image: a disk is not as large as what is written to it.
const SIZE: u64 = 2 << 30;
/// Where the partition begins, in bytes (the image's recipe says the same in sectors).
const OFFSET: u64 = 2048 * 512;
const LIMIT: Duration = Duration::from_secs(60);

/// Copies the image to `disk` and makes it the machine's old OS.
pub(crate) fn prepare(disk: &Path, image: &Image, keys: &Keys, work: &Path) -> Result<()> {
    let mut copy = Command::new("cp");
    copy.args(["--sparse=always", "--reflink=auto"])
        .arg(image.disk())
        .arg(disk);
    crate::process::run(&copy, LIMIT)?;
    File::options().write(true).open(disk)?.set_len(SIZE)?;

    let interfaces = format!(
        "auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet static\n    \
         address {MACHINE_ADDRESS}\n    netmask 255.255.255.0\n    gateway {SWITCH_ADDRESS}\n"
    );
    let hosts = format!("127.0.0.1 localhost\n{MACHINE_ADDRESS} {FQDN} {NAME}\n");
    let host_key = fs::read_to_string(keys.old_os_host.private())?;
    let marker = format!("written by the rig's process {}\n", std::process::id());
    let files: &[(&str, &str, u32)] = &[
        ("/etc/hostname", &format!("{NAME}\n"), 0o644),
        ("/etc/hosts", &hosts, 0o644),
        ("/etc/network/interfaces", &interfaces, 0o644),
        ("/etc/ssh/ssh_host_ecdsa_key", &host_key, 0o600),
        (
            "/root/.ssh/authorized_keys",
            &format!("{}\n", keys.production.line()),
            0o600,
        ),
        (MARKER, &marker, 0o644),
    ];
    let staging = directory(work.join("old-os"))?;
    let mut script = String::new();
    for (number, (path, content, mode)) in files.iter().enumerate() {
        let source = staging.join(number.to_string());
        write(&source, content, *mode)?;
        script += &format!("rm {path}\nwrite {number} {path}\nsif {path} mode 0100{mode:o}\n");
    }
    let commands = staging.join("commands");
    write(&commands, script, 0o644)?;
    // debugfs writes into the file system without a mount that could be left behind.
    let debugfs = |arguments: &[&str]| {
        let mut command = Command::new("debugfs");
        command
            .current_dir(&staging)
            .args(arguments)
            .arg(format!("{}?offset={OFFSET}", disk.display()));
        run_any(&command, LIMIT)
    };
    let said = debugfs(&["-w", "-f", text(&commands)?])?;
    // Its exit status is always 0.
    for (path, content, _) in files {
        let found = debugfs(&["-R", &format!("cat {path}")])?;
        if found.stdout != content.as_bytes() {
            bail!(
                "debugfs did not write {path}:\n{}{}",
                String::from_utf8_lossy(&said.stdout),
                String::from_utf8_lossy(&said.stderr)
            );
        }
    }
    fs::remove_dir_all(&staging).context("cannot remove the staging directory")?;
    Ok(())
}
