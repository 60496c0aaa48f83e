//! Debian packages that a task needs.

use crate::{inner, repository};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The packages of a list: one a line, `#` begins a comment.
pub fn parse(list: &str) -> Vec<String> {
    list.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The packages of a list in the repository; none when there is no such list.
///
/// # Errors
/// When the list cannot be read.
pub fn list(path: &str) -> Result<Vec<String>> {
    let path = repository::root().join(path);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(parse(&text))
}

/// Makes sure that these packages are installed, as root on Debian.
///
/// # Errors
/// Names the line to run when some are missing and the user is not root; what apt-get says when it fails.
pub fn install(wanted: &[String]) -> Result<()> {
    let missing: Vec<&String> = wanted.iter().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = together(&missing, wanted);
    told(&packages)?;
    if inner::run(&mut apt_get(&packages)).is_ok() {
        return Ok(());
    }
    // Most often the lists are old or were never fetched.
    inner::run(Command::new("apt-get").arg("update"))?;
    if inner::run(&mut apt_get(&packages)).is_ok() {
        return Ok(());
    }
    let release = release()?;
    let lowered = brought_down(&packages, &installed_of_qemu(), &release);
    inner::run(&mut apt_get(&lowered))
}

/// Installs these packages, or brings them to the newest version.
///
/// # Errors
/// As [`install`].
pub fn newest(packages: &[String]) -> Result<()> {
    told(packages)?;
    // Old lists offer old versions, or none. Where they cannot be fetched, the old ones may do.
    let _refreshed = inner::run(Command::new("apt-get").arg("update"));
    inner::run(&mut apt_get(packages))
}

/// Says what is going to be run, or that it has to be run by hand.
fn told(packages: &[String]) -> Result<()> {
    let line = format!("apt-get install --yes {OPTIONS} {}", packages.join(" "));
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "this is not Debian; install what its packages {} contain",
            packages.join(", ")
        );
    }
    if !is_root() {
        bail!("Debian packages are missing; run:\n\n    sudo {line}\n");
    }
    println!("xtask: {line}");
    Ok(())
}

/// Tools of QEMU that are here in a version of another archive keep the emulator of this release away: with it, they are
/// asked for in the version of the release.
fn brought_down(packages: &[String], installed: &[String], release: &str) -> Vec<String> {
    let wants_qemu = packages.iter().any(|name| name.starts_with("qemu-"));
    let tools = installed
        .iter()
        .filter(|name| wants_qemu && !packages.contains(name));
    packages
        .iter()
        .cloned()
        .chain(tools.map(|name| format!("{name}/{release}")))
        .collect()
}

/// The packages of QEMU that are installed.
fn installed_of_qemu() -> Vec<String> {
    let listing = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package}\n", "qemu-*"])
        .stderr(Stdio::null())
        .output();
    let names = listing.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    names
        .unwrap_or_default()
        .lines()
        .filter(|name| is_installed(name))
        .map(str::to_owned)
        .collect()
}

/// Code name of the release of Debian.
fn release() -> Result<String> {
    let file = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    file.lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .context("/etc/os-release names no release")
}

/// Nothing that is installed is removed for the sake of a test. An emulator and its tools must have one version; where the
/// archive and its security updates differ, the newer of the two has to go down.
const OPTIONS: &str = "--no-install-recommends --no-remove --allow-downgrades";

fn apt_get(packages: &[String]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("install")
        .arg("--yes")
        .args(OPTIONS.split(' '))
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
}

/// What to install for the missing packages: those of QEMU depend on each other's exact version, so all that are wanted
/// go into one command.
fn together(missing: &[&String], wanted: &[String]) -> Vec<String> {
    let is_qemu = |name: &str| name.starts_with("qemu-");
    let with_qemu = missing.iter().any(|name| is_qemu(name));
    wanted
        .iter()
        .filter(|name| missing.contains(name) || (with_qemu && is_qemu(name)))
        .cloned()
        .collect()
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_packages() {
        assert_eq!(
            parse("# BMC\nipmitool\n\n  openipmi  # ipmi_sim\n"),
            ["ipmitool", "openipmi"]
        );
    }

    #[test]
    fn the_packages_of_qemu_are_installed_together() {
        let wanted = parse("ipmitool\nqemu-system-x86\nqemu-utils");
        let utils = wanted.last().unwrap();
        assert_eq!(
            together(&[utils], &wanted),
            ["qemu-system-x86", "qemu-utils"]
        );
        let ipmitool = wanted.first().unwrap();
        assert_eq!(together(&[ipmitool], &wanted), ["ipmitool"]);
    }

    #[test]
    fn tools_of_another_archive_are_brought_down_with_their_emulator() {
        let [emulator, tools] = ["qemu-system-x86", "qemu-utils"].map(str::to_owned);
        let lowered =
            |wanted: &str| brought_down(&parse(wanted), std::slice::from_ref(&tools), "bookworm");
        assert_eq!(
            lowered("qemu-system-x86\nipmitool"),
            [&emulator, "ipmitool", "qemu-utils/bookworm"]
        );
        assert_eq!(lowered("ipmitool"), ["ipmitool"]);
    }

    #[test]
    fn an_unknown_package_is_not_installed() {
        assert!(!is_installed("no-such-package-of-anybody"));
    }
}
