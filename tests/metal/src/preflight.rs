//! What the rig needs of the machine that it runs on.

use std::env;
use std::path::Path;

use anyhow::{Result, bail};

/// The Debian packages that the rig needs.
pub const PACKAGES: &str = include_str!("../packages.txt");

const PROGRAMS: &[&str] = &[
    "bridge",
    "busybox",
    "chroot",
    "debugfs",
    "dhcpd",
    "dropbear",
    "dropbearkey",
    "extlinux",
    "in.tftpd",
    "ip",
    "ipmi_sim",
    "ipmitool",
    "ldd",
    "mke2fs",
    "mmdebstrap",
    "nginx",
    "python3",
    "qemu-system-x86_64",
    "radvd",
    "setpriv",
    "setsid",
    "socat",
    "ssh",
    "ssh-keygen",
    "sshd",
    "timeout",
    "unshare",
    "zstd",
];

const FILES: &[&str] = &[
    "/dev/net/tun",
    "/usr/lib/EXTLINUX/mbr.bin",
    "/usr/lib/PXELINUX/lpxelinux.0",
    "/usr/lib/syslinux/modules/bios/ldlinux.c32",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// The system programs of Debian stand where a user's PATH does not look.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// Says at once all that is missing.
///
/// # Errors
///
/// This is not root, or a program or file is missing; the message has the
/// command that installs it.
pub fn check() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("the metal rig must run as root: it makes network namespaces and mounts an image");
    }
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .copied()
        .filter(|program| find(program).is_none())
        .collect();
    missing.extend(FILES.iter().filter(|file| !Path::new(file).exists()));
    if !missing.is_empty() {
        bail!(
            "the metal rig misses {}; install what it needs with:\n  apt-get install -y --no-install-recommends {}",
            missing.join(", "),
            PACKAGES.split_whitespace().collect::<Vec<_>>().join(" ")
        );
    }
    Ok(())
}

/// Where a program is.
pub(crate) fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = env::var("PATH").unwrap_or_default();
    env::split_paths(&format!("{path}:{SYSTEM_PATH}"))
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}
