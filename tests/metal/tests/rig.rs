//! The rig checks itself, without wreimage: a test of wreimage that fails must
//! not be the rig's fault.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use wreimage_metal::clock::{Timestamp, now, seconds_between, wait_for};
use wreimage_metal::disk::MARKER;
use wreimage_metal::machine::{BootOverride, MAC, SERIAL, UUID};
use wreimage_metal::rig::{self, INSTALLER_UP, REBOOTING, SSHD_UP, WRITTEN, circuit_id, snippet};
use wreimage_metal::{BmcKind, Fault, Identity, Options, Rig};

const BOOT: Duration = Duration::from_secs(120);
const BOOT_ID: &str = "cat /proc/sys/kernel/random/boot_id";

/// An emulated machine takes a core: one at a time, so that the times mean something.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Publishes the snippet as the automation does: over SSH, then `dhcpincludes`.
fn serve_snippet(rig: &Rig, text: &str) -> Result<(i32, String)> {
    let path = rig.snippet_path();
    let put = format!("cat >'{}' <<'EOF'\n{text}EOF", path.display());
    let output = rig.try_ssh_install_server(&put)?;
    ensure!(
        output.status.success(),
        "the snippet was not put: {output:?}"
    );
    ensure!(
        std::fs::read_to_string(&path)? == text,
        "the snippet has other bytes"
    );
    dhcpincludes(rig)
}

fn withdraw_snippet(rig: &Rig) -> Result<(i32, String)> {
    std::fs::remove_file(rig.snippet_path())?;
    dhcpincludes(rig)
}

fn dhcpincludes(rig: &Rig) -> Result<(i32, String)> {
    let program = rig.install_server().dhcpincludes();
    let output = rig.try_ssh_install_server(&format!("'{}' -r commit", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code().context("killed")?, said.into_owned()))
}

fn wait_for_ssh(rig: &Rig, identity: Identity, command: &str) -> Result<String> {
    wait_for(&format!("{command} as {identity:?}"), BOOT, || {
        Ok(rig.ssh(identity, command).ok())
    })
}

fn table(title: &str, rows: &[(&str, f64)]) {
    println!("\n{title}");
    for (what, seconds) in rows {
        println!("  {what:<44} {seconds:>6.1} s");
    }
}

#[test]
fn a_machine_is_reimaged_through_ipmi_sim() -> Result<()> {
    let _alone = alone();
    let begin = Instant::now();
    let rig = Rig::start(Options::default())?;
    let started = begin.elapsed().as_secs_f64();
    let old = rig.wait_for_old_os(BOOT)?;
    let old_up = begin.elapsed().as_secs_f64();
    let suite = 3;

    // The old OS: only the production key opens it, and its host key is known.
    let marker = rig.ssh(Identity::Production, &format!("cat {MARKER}"))?;
    ensure!(marker.contains("written by the rig"), "marker: {marker}");
    let old_boot = rig.ssh(Identity::Production, BOOT_ID)?;
    ensure!(
        old.value("boot_id") == Some(&old_boot),
        "{old:?} and {old_boot}"
    );
    ensure!(rig.try_ssh(Identity::Installer, "true")?.status.code() == Some(255));
    let os = rig.ssh(Identity::Production, "cat /etc/os-release")?;
    ensure!(os.contains("VERSION_CODENAME=bookworm"), "{os}");

    // The BMC is this machine's.
    ensure!(
        rig.bmc()
            .ipmitool(suite, &["power", "status"])?
            .contains("is on")
    );
    let guid = rig.bmc().ipmitool(suite, &["mc", "guid", "smbios"])?;
    ensure!(guid.to_lowercase().contains(UUID), "{guid}");
    let fru = rig.bmc().ipmitool(suite, &["fru", "print", "0"])?;
    ensure!(fru.contains(SERIAL), "{fru}");

    // Published: only this port of the switch gets a lease.
    let (status, said) = serve_snippet(&rig, &snippet())?;
    ensure!(status == 0 && said.contains("reloaded"), "{status}: {said}");
    ensure!(rig.snippet_is_listed());
    let other = rig.lease_on_other_port()?;
    ensure!(other.is_none(), "the other port got {other:?}");
    let asked = rig.dhcp_messages();
    ensure!(
        asked
            .iter()
            .any(|m| m.circuit_id.as_deref() == Some("asw1-rig:ge-0/0/2.0:private1-rig")),
        "the other port did not ask: {asked:?}"
    );

    rig.bmc().ipmitool(suite, &["chassis", "bootdev", "pxe"])?;
    ensure!(rig.boot_override() == BootOverride::Pxe);
    rig.bmc().ipmitool(suite, &["power", "cycle"])?;
    let power_on = wait_for("the machine to get power", Duration::from_secs(10), || {
        Ok(rig.last_power_on())
    })?;
    ensure!(rig.boot_override() == BootOverride::None, "one boot only");

    // The installer, with its own key and a host key that nobody knows.
    let installer_boot = wait_for_ssh(&rig, Identity::Installer, BOOT_ID)?;
    let installer_seen = now();
    ensure!(installer_boot != old_boot);
    let command_line = rig.ssh(Identity::Installer, "cat /proc/cmdline")?;
    ensure!(
        command_line.contains("BOOT_IMAGE=debian-installer"),
        "{command_line}"
    );
    let dmi = "cat /sys/class/dmi/id/product_serial /sys/class/dmi/id/product_uuid /proc/uptime";
    let identity = rig.ssh(Identity::Installer, dmi)?;
    ensure!(
        identity.contains(SERIAL) && identity.contains(UUID),
        "{identity}"
    );
    ensure!(rig.try_ssh(Identity::Production, "true")?.status.code() == Some(255));

    // The new OS.
    let new_boot = wait_for("the new OS", BOOT, || {
        let seen = rig.ssh(Identity::Installer, BOOT_ID).ok();
        Ok(seen.filter(|id| *id != installer_boot))
    })?;
    let new_seen = now();
    ensure!(new_boot != old_boot);
    let os = rig.ssh(Identity::Installer, "cat /etc/os-release")?;
    ensure!(os.contains("ID=debian"), "{os}");
    ensure!(rig.ssh(Identity::Installer, "cat /etc/hostname")? == "rig1001");
    let marker = rig.try_ssh(Identity::Installer, &format!("cat {MARKER}"))?;
    ensure!(
        marker.status.code() == Some(1),
        "the marker is still there: {marker:?}"
    );
    ensure!(rig.try_ssh(Identity::Production, "true")?.status.code() == Some(255));
    let host_keys = rig.ssh(Identity::Installer, "cat /etc/ssh/ssh_host_ecdsa_key.pub")?;
    let known = std::fs::read_to_string(rig.keys().known_hosts())?;
    let key = host_keys.split(' ').nth(1).context("no host key")?;
    ensure!(!known.contains(key), "the host key is the old one");

    // Withdrawn.
    let (status, said) = withdraw_snippet(&rig)?;
    ensure!(status == 0, "{status}: {said}");
    ensure!(!rig.snippet_exists() && !rig.snippet_is_listed());
    let leases = rig.leases();
    ensure!(!leases.is_empty());
    for lease in &leases {
        ensure!(
            lease.mac == MAC && lease.circuit_id == Some(circuit_id()),
            "{lease:?}"
        );
    }

    // A reboot by SSH, as the guest does it, is proven by the boot id.
    let rebooted = now();
    let _ = rig.try_ssh(Identity::Installer, "reboot")?;
    let last_boot = wait_for("the OS after its reboot", BOOT, || {
        let seen = rig.ssh(Identity::Installer, BOOT_ID).ok();
        Ok(seen.filter(|id| *id != new_boot))
    })?;
    let reboot = seconds_between(rebooted, now());
    ensure!(last_boot != installer_boot);

    let console = |pattern| -> Result<Timestamp> {
        let line = rig.console().find(power_on, pattern)?;
        Ok(line
            .with_context(|| format!("no {pattern} on the console"))?
            .at)
    };
    let since = |at| seconds_between(power_on, at);
    table(
        "ipmi_sim, cipher suite 3; seconds of the machine are from its power on",
        &[
            ("rig started", started),
            ("old OS up, since the rig's start", old_up),
            (
                "installer's sshd up (console)",
                since(console(INSTALLER_UP)?),
            ),
            ("installer seen by ssh", since(installer_seen)),
            ("disk written (console)", since(console(WRITTEN)?)),
            ("installer reboots (console)", since(console(REBOOTING)?)),
            ("new OS: sshd up (console)", since(console(SSHD_UP)?)),
            ("new OS seen by ssh", since(new_seen)),
            ("reboot of the new OS, from the command", reboot),
            ("whole test", begin.elapsed().as_secs_f64()),
        ],
    );
    Ok(())
}

#[test]
fn without_a_snippet_the_machine_falls_through_to_its_disk() -> Result<()> {
    let _alone = alone();
    let rig = Rig::start(Options {
        bmc: BmcKind::Pyghmi,
        ..Options::default()
    })?;
    let old = rig.wait_for_old_os(BOOT)?;
    rig.bmc().ipmitool(17, &["chassis", "bootdev", "pxe"])?;
    rig.bmc().ipmitool(17, &["power", "cycle"])?;
    let power_on = rig.last_power_on().context("no power on")?;
    let up = rig.console().wait_for(power_on, SSHD_UP, BOOT)?;
    ensure!(up.value("boot_id") != old.value("boot_id"));
    rig.ssh(Identity::Production, &format!("cat {MARKER}"))?;
    ensure!(
        rig.dhcp_messages()
            .iter()
            .any(|m| m.mac == MAC && m.kind == "DISCOVER"),
        "it did not even ask"
    );
    ensure!(rig.leases().is_empty(), "{:?}", rig.leases());
    ensure!(rig.console().find(power_on, INSTALLER_UP)?.is_none());
    table(
        "nothing served",
        &[(
            "old OS again, from power on",
            seconds_between(power_on, up.at),
        )],
    );
    Ok(())
}

#[test]
fn the_pyghmi_bmc_speaks_suites_3_and_17() -> Result<()> {
    let _alone = alone();
    let rig = Rig::start(Options {
        bmc: BmcKind::Pyghmi,
        powered_on: false,
        ..Options::default()
    })?;
    let bmc = rig.bmc();
    ensure!(bmc.cipher_suites() == [3, 17]);
    for suite in [3, 17] {
        let begin = Instant::now();
        let tool = |arguments: &[&str]| bmc.ipmitool(suite, arguments);
        ensure!(tool(&["power", "status"])?.contains("is off"));
        tool(&["chassis", "bootdev", "pxe"])?;
        ensure!(rig.boot_override() == BootOverride::Pxe);
        let flags = tool(&["chassis", "bootparam", "get", "5"])?;
        ensure!(
            flags.contains("Boot Flag Valid") && flags.contains("Force PXE"),
            "{flags}"
        );
        tool(&["chassis", "bootdev", "none"])?;
        ensure!(rig.boot_override() == BootOverride::None);
        let flags = tool(&["chassis", "bootparam", "get", "5"])?;
        ensure!(flags.contains("Boot Flag Invalid"), "{flags}");
        tool(&["chassis", "bootparam", "set", "bootflag", "force_pxe"])?;
        ensure!(rig.boot_override() == BootOverride::Pxe);
        tool(&["power", "on"])?;
        ensure!(rig.machine().is_on());
        ensure!(tool(&["power", "status"])?.contains("is on"));
        ensure!(rig.boot_override() == BootOverride::None);
        tool(&["power", "cycle"])?;
        ensure!(rig.machine().is_on());
        tool(&["power", "reset"])?;
        tool(&["power", "off"])?;
        ensure!(!rig.machine().is_on());
        let guid = tool(&["mc", "guid", "smbios"])?;
        ensure!(guid.to_lowercase().contains(UUID), "{guid}");
        let fru = tool(&["fru", "print", "0"])?;
        ensure!(fru.contains(SERIAL), "{fru}");
        let (ok, said) = bmc.ipmitool_with_wrong_password(suite)?;
        ensure!(!ok && said.contains("RAKP"), "wrong password: {said}");
        println!(
            "suite {suite}: 15 commands in {:.1} s",
            begin.elapsed().as_secs_f64()
        );
    }
    ensure!(
        bmc.ipmitool(8, &["power", "status"]).is_err(),
        "suite 8 is not offered"
    );
    let commands: Vec<String> = rig.chassis_log().into_iter().map(|c| c.command).collect();
    ensure!(
        commands.starts_with(&["boot pxe".into(), "boot none".into()]),
        "{commands:?}"
    );
    Ok(())
}

#[test]
fn dhcpincludes_fails_as_the_original_does() -> Result<()> {
    let _alone = alone();
    let rig = Rig::start(Options {
        powered_on: false,
        ..Options::default()
    })?;
    let server = rig.install_server();
    let dhcpd = server.dhcpd();
    let status = || -> Result<String> {
        let output = rig.try_ssh_install_server(&server.status_command().join(" "))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let first = status()?;
    ensure!(first.contains("ActiveState=active"), "{first}");

    // A snippet that dhcpd refuses stays in the include file, and dhcpd runs on.
    let bad = snippet().replace("fixed-address", "fixed-adress");
    let (code, said) = serve_snippet(&rig, &bad)?;
    ensure!(code == 1 && said.contains("fixed-adress"), "{code}: {said}");
    ensure!(!said.contains("reloaded") && rig.snippet_is_listed());
    ensure!(status()? == first, "dhcpd was touched");

    // Without "commit" nothing is written.
    let listed = std::fs::read_to_string(server.proxy_file())?;
    std::fs::remove_file(rig.snippet_path())?;
    let program = server.dhcpincludes();
    rig.try_ssh_install_server(&format!("'{}' -v", program.display()))?;
    ensure!(std::fs::read_to_string(server.proxy_file())? == listed);

    let (code, said) = dhcpincludes(&rig)?;
    ensure!(code == 0 && said.contains("reloaded"), "{code}: {said}");
    let second = status()?;
    ensure!(
        second != first && second.contains("ActiveState=active"),
        "{second}"
    );

    // An unexpected error ends with 0 and without a restart.
    let starts = dhcpd.starts();
    server.inject(Fault::Exception)?;
    let (code, said) = serve_snippet(&rig, &snippet())?;
    ensure!(code == 0 && !said.contains("reloaded"), "{code}: {said}");
    ensure!(dhcpd.starts() == starts && rig.snippet_is_listed());
    server.clear(Fault::Exception)?;

    // A restart that fails leaves no dhcpd.
    server.inject(Fault::Restart)?;
    let (code, said) = dhcpincludes(&rig)?;
    ensure!(code == 2 && !said.contains("reloaded"), "{code}: {said}");
    ensure!(dhcpd.running_since().is_none() && !status()?.contains("ActiveState=active"));
    server.clear(Fault::Restart)?;
    let (code, said) = dhcpincludes(&rig)?;
    ensure!(code == 0, "{code}: {said}");
    ensure!(dhcpd.running_since().is_some());
    Ok(())
}

#[test]
fn nothing_is_left_after_a_panic() -> Result<()> {
    let _alone = alone();
    let rig = Rig::start(Options::default())?;
    let directory = rig.directory().display().to_string();
    let namespace = rig.network().switch.path();
    ensure!(namespace.exists());
    ensure!(
        !processes_that_name(&directory)?.is_empty(),
        "the check sees nothing"
    );
    let panicked = std::thread::spawn(move || {
        let _rig = rig;
        panic!("a panic on purpose");
    })
    .join();
    ensure!(panicked.is_err());
    ensure!(
        !namespace.exists(),
        "{} is still there",
        namespace.display()
    );
    let left = processes_that_name(&directory)?;
    ensure!(left.is_empty(), "still running: {left:?}");
    Ok(())
}

/// Set for the process that is killed in [`nothing_is_left_after_a_sigkill`].
const VICTIM: &str = "WREIMAGE_METAL_VICTIM";

#[test]
fn nothing_is_left_after_a_sigkill() -> Result<()> {
    if std::env::var_os(VICTIM).is_some() {
        let rig = Rig::start(Options::default())?;
        let namespace = rig.network().switch.path();
        println!(
            "\nvictim {} {}",
            rig.directory().display(),
            namespace.display()
        );
        std::thread::sleep(Duration::from_secs(120));
        bail!("nobody has killed this process");
    }
    let _alone = alone();
    let mut victim = Command::new(std::env::current_exe()?)
        .args(["--exact", "--nocapture", "nothing_is_left_after_a_sigkill"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = victim.stdout.take().context("no output")?;
    let told = BufReader::new(output)
        .lines()
        .map_while(|line| line.ok())
        .find(|line| line.starts_with("victim "));
    // Not before the end of this function: the process must not be lost by an error.
    let seen = told.as_deref().map(processes_of_victim);
    victim.kill()?;
    victim.wait()?;
    let told = told.context("the other process did not start its rig")?;
    ensure!(
        !seen.context("not told")??.is_empty(),
        "the check sees nothing"
    );
    let namespace = told.rsplit(' ').next().context("no namespace")?.to_owned();
    wait_for("everything to go", Duration::from_secs(5), || {
        let gone = !Path::new(&namespace).exists() && processes_of_victim(&told)?.is_empty();
        Ok(gone.then_some(()))
    })
    .with_context(|| format!("still there: {namespace} {:?}", processes_of_victim(&told)))
}

fn processes_of_victim(told: &str) -> Result<Vec<String>> {
    processes_that_name(told.split(' ').nth(1).context("no directory")?)
}

/// The command lines with this text; all processes of the rig name its directory.
fn processes_that_name(text: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path().join("cmdline");
        let Ok(line) = std::fs::read(&path) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(text) {
            found.push(line);
        }
    }
    Ok(found)
}

#[test]
fn the_snippet_is_byte_exact() {
    assert_eq!(
        rig::snippet(),
        "\nhost rig1001 {\n    host-identifier option agent.circuit-id \"asw1-rig:ge-0/0/1.0:private1-rig\";\n    \
         fixed-address 10.64.0.10;\n    option pxelinux.pathprefix \"http://10.64.255.2/tftpboot/bookworm-installer/\";\n}\n"
    );
}
