//! `wreimage` reimages a real machine through a real BMC, a real DHCP server and real SSH.

mod wreimage;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wreimage::{Going, Run, Site};
use wreimage_metal::clock::{Timestamp, now, seconds_between, wait_for};
use wreimage_metal::console::ConsoleLine;
use wreimage_metal::disk::MARKER;
use wreimage_metal::machine::BootOverride;
use wreimage_metal::rig::{INSTALLER_UP, SSHD_UP, circuit_id};
use wreimage_metal::{BmcKind, Identity, Options, Rig};

const BOOT: Duration = Duration::from_secs(120);
/// How late the end of a wait may be seen. An emulated machine takes most of that to let somebody in.
const LATE: f64 = 0.5;

/// An emulated machine takes a core: one at a time, so that the times mean something.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Power commands that the BMC was given, questions apart.
fn commands(rig: &Rig) -> Vec<String> {
    rig.chassis_log()
        .into_iter()
        .map(|entry| entry.command)
        .collect()
}

/// The host keys that the machine's sshd shows now.
fn host_keys(rig: &Rig) -> Result<String> {
    let mut command = rig.command("ssh-keyscan");
    command.args(["-t", "ed25519,ecdsa,rsa", "10.64.0.10"]);
    let keys = wreimage_metal::process::run(&command, Duration::from_secs(30))?;
    ensure!(keys.contains("ecdsa-sha2"), "no host keys: {keys}");
    Ok(keys)
}

/// How long the machine takes for a login and a trivial command, by OpenSSH's own client: the best of three.
fn login_seconds(rig: &Rig, identity: Identity) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let begin = Instant::now();
        rig.ssh(identity, "true")?;
        best = best.min(begin.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// The boot id that the console told with an event.
fn boot_id(line: &ConsoleLine) -> Result<&str> {
    line.value("boot_id")
        .context("the console's line has no boot id")
}

#[test]
fn the_old_system_is_wiped_and_the_new_one_proven() -> Result<()> {
    let _alone = alone();
    let rig = Rig::start(Options {
        bmc: BmcKind::Pyghmi,
        ..Options::default()
    })?;
    let old = rig.wait_for_old_os(BOOT)?;
    ensure!(
        rig.try_ssh(Identity::Production, &format!("cat {MARKER}"))?
            .status
            .success()
    );
    let old_keys = host_keys(&rig)?;

    let run = Run::of(&rig, &Site::default(), &[])?;
    ensure!(run.code == 0, "{}", run.said());

    // The new system is there, the old one gone.
    let marker = rig.try_ssh(Identity::Installer, &format!("cat {MARKER}"))?;
    ensure!(
        !marker.status.success(),
        "the marker of the old system is still there"
    );
    let new_keys = host_keys(&rig)?;
    ensure!(old_keys != new_keys, "the host keys are the old ones");
    let powered = rig.last_power_on().context("the BMC never gave power")?;
    let installer = rig
        .console()
        .find(powered, INSTALLER_UP)?
        .context("no installer on the console")?;
    let new = rig
        .console()
        .find(installer.at, SSHD_UP)?
        .context("no new system on the console")?;
    // The search begins at its time, and would find the same line again.
    let rebooted = rig
        .console()
        .find(new.at + Duration::from_millis(1), SSHD_UP)?
        .context("no reboot of the new system on the console")?;
    let boots = [
        boot_id(&old)?,
        boot_id(&installer)?,
        boot_id(&new)?,
        boot_id(&rebooted)?,
    ];
    ensure!(
        boots.iter().collect::<BTreeSet<_>>().len() == boots.len(),
        "{boots:?}"
    );

    // The same boots stand in the record.
    let waited = run.outcomes("remote.wait-for-boot");
    // Installer, new system, and its own reboot at the end.
    ensure!(waited.len() == 3, "{waited:?}");
    for (outcome, seen) in waited.iter().zip(&boots[1..]) {
        ensure!(
            outcome["result"]["Ok"]["boot_id"] == *seen,
            "{outcome} is not boot {seen}"
        );
    }

    // Nothing is left.
    ensure!(!rig.snippet_exists(), "the DHCP snippet is still there");
    ensure!(
        !rig.snippet_is_listed(),
        "the DHCP snippet is still included"
    );
    ensure!(
        rig.boot_override() == BootOverride::None,
        "{:?}",
        rig.boot_override()
    );
    let leases = rig.leases();
    ensure!(!leases.is_empty(), "no lease was given");
    let wanted = circuit_id();
    ensure!(
        leases
            .iter()
            .all(|lease| lease.circuit_id.as_deref() == Some(&wanted)),
        "{leases:?}"
    );
    let power: Vec<String> = commands(&rig)
        .into_iter()
        .filter(|c| !c.starts_with("boot"))
        .collect();
    ensure!(
        power
            .iter()
            .filter(|c| *c == "power on" || *c == "reset")
            .count()
            == 1,
        "{power:?}"
    );
    ensure!(
        !run.said().contains(
            &std::fs::read_to_string(rig.bmc().password_file())?
                .trim()
                .to_owned()
        )
    );

    // How late the host was at each event, and the run's time beside the machine's own.
    let late_installer = seconds_between(installer.at, run.time_of(waited[0])?);
    let late_new = seconds_between(new.at, run.time_of(waited[1])?);
    let late_rebooted = seconds_between(rebooted.at, run.time_of(waited[2])?);
    let on_console = seconds_between(powered, new.at);
    let power_call = run.outcomes("ipmi.set-power");
    let commanded = run.began(
        power_call
            .first()
            .context("no power command in the record")?,
    )?;
    let in_record = seconds_between(commanded, run.time_of(waited[1])?);
    println!("\nmetal: one reimage of a real machine");
    let login = login_seconds(&rig, Identity::Installer)?;
    println!("  a login to the new OS takes                 {login:>6.2} s");
    println!("  installer up on the console, seen after     {late_installer:>6.2} s");
    println!("  new OS up on the console, seen after        {late_new:>6.2} s");
    println!("  rebooted OS up on the console, seen after   {late_rebooted:>6.2} s");
    println!("  power to new OS up, on the console          {on_console:>6.2} s");
    println!("  power command to new OS up, in the record   {in_record:>6.2} s");
    println!(
        "  ratio                                       {:>6.3}",
        in_record / on_console
    );
    println!(
        "  whole run                                   {:>6.2} s",
        run.seconds()?
    );
    ensure!(
        late_installer <= LATE && late_new <= LATE && late_rebooted <= LATE,
        "a wait ended too late"
    );
    Ok(())
}

#[test]
fn without_a_served_entry_the_machine_keeps_its_system_and_its_data() -> Result<()> {
    let _alone = alone();
    let rig = Rig::start(Options {
        bmc: BmcKind::IpmiSim,
        ..Options::default()
    })?;
    let old = rig.wait_for_old_os(BOOT)?;

    let run = Run::of(
        &rig,
        &Site {
            dhcp_from_lab: true,
            ..Site::default()
        },
        &[],
    )?;
    ensure!(run.code == 20, "{} {}", run.code, run.said());

    let back = rig
        .console()
        .find(
            rig.last_power_on().context("the BMC never gave power")?,
            SSHD_UP,
        )?
        .context("the old system did not come back")?;
    ensure!(boot_id(&back)? != boot_id(&old)?);
    ensure!(
        rig.try_ssh(Identity::Production, &format!("cat {MARKER}"))?
            .status
            .success(),
        "the data is gone"
    );
    ensure!(rig.leases().is_empty(), "{:?}", rig.leases());
    ensure!(
        rig.boot_override() == BootOverride::None,
        "{:?}",
        rig.boot_override()
    );

    // It was noticed when the old system answered, not at the deadline, and it is said what happened.
    let waited = run.outcomes("remote.wait-for-boot");
    ensure!(waited.len() == 1, "{waited:?}");
    ensure!(
        waited[0]["result"]["Ok"]["identity"] == "Production",
        "{}",
        waited[0]
    );
    let late = seconds_between(back.at, run.time_of(waited[0])?);
    let login = login_seconds(&rig, Identity::Production)?;
    println!(
        "\nmetal: old OS back on the console, seen after {late:.2} s, of which a login takes {login:.2} s"
    );
    ensure!(late <= LATE, "the old system was seen after {late} s");
    let summary = run.last()["summary"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    ensure!(
        summary.contains("old") && summary.contains("data"),
        "{summary}"
    );
    Ok(())
}

#[test]
fn with_a_wrong_password_nothing_is_touched() -> Result<()> {
    let _alone = alone();
    for bmc in [BmcKind::IpmiSim, BmcKind::Pyghmi] {
        let rig = Rig::start(Options {
            bmc,
            ..Options::default()
        })?;
        let old = rig.wait_for_old_os(BOOT)?;
        let before = commands(&rig);
        let starts = rig.install_server().dhcpd().starts();

        let site = Site {
            password: Some("not-the-password".to_owned()),
            ..Site::default()
        };
        let run = Run::of(&rig, &site, &[])?;
        ensure!(run.code == 40, "{} {}", run.code, run.said());
        ensure!(run.said().contains("password"), "{}", run.said());
        ensure!(!run.said().contains("not-the-password"));

        ensure!(commands(&rig) == before, "{:?}", commands(&rig));
        ensure!(
            rig.install_server().dhcpd().starts() == starts,
            "dhcpd was restarted"
        );
        ensure!(!rig.snippet_exists());
        let boot = rig.ssh(Identity::Production, "cat /proc/sys/kernel/random/boot_id")?;
        ensure!(boot == boot_id(&old)?, "the machine was restarted");
        let intents = run.events.iter().filter(|event| event["event"] == "intent");
        ensure!(intents.count() == 0, "{}", run.said());
    }
    Ok(())
}

#[test]
fn a_rehearsal_on_a_real_site_reads_it_and_changes_nothing() -> Result<()> {
    let _alone = alone();
    let rig = Rig::start(Options {
        bmc: BmcKind::IpmiSim,
        ..Options::default()
    })?;
    let old = rig.wait_for_old_os(BOOT)?;
    let before = commands(&rig);
    let checked = wreimage::check(&rig, &Site::default())?;
    ensure!(checked.status.success(), "{checked:?}");

    for services_from_lab in [false, true] {
        let site = Site {
            services_from_lab,
            ..Site::default()
        };
        let run = Run::of(&rig, &site, &["--dry-run"])?;
        ensure!(run.code == 0, "{} {}", run.code, run.said());
        let planned = run.outcomes("ipmi.set-power");
        ensure!(
            planned.len() == 1 && planned[0]["reality"] == "assumed",
            "{planned:?}"
        );
        let read: Vec<&Value> = run.outcomes("ipmi.get-power-state");
        ensure!(read[0]["reality"].is_null(), "{}", read[0]);
        ensure!(run.outcomes("puppet.first-run").len() == usize::from(services_from_lab));
    }

    ensure!(commands(&rig) == before, "{:?}", commands(&rig));
    ensure!(!rig.snippet_exists());
    let boot = rig.ssh(Identity::Production, "cat /proc/sys/kernel/random/boot_id")?;
    ensure!(boot == boot_id(&old)?, "the machine was restarted");
    Ok(())
}

/// Killed while the BMC works on the power command, and again while the installer runs: the machine is installed once.
#[test]
fn a_run_that_is_killed_twice_is_resumed_and_installs_the_machine_once() -> Result<()> {
    let _alone = alone();
    let rig = Rig::start(Options {
        bmc: BmcKind::Pyghmi,
        ..Options::default()
    })?;
    rig.wait_for_old_os(BOOT)?;
    let site = Site::default();
    let begun = now();

    let mut first = Going::begin(&rig, &site)?;
    wait_for("the power command", BOOT, || {
        first.goes_on()?;
        Ok(restarts(&rig).first().copied())
    })?;
    let id = first.id()?;
    let said = first.kill()?;
    let answered = said
        .lines()
        .any(|line| line.contains("\"outcome\"") && line.contains("ipmi.set-power"));
    ensure!(!answered, "it was killed too late: {said}");

    // What became of the power command is read from the world, and not given again.
    let mut second = Going::resume(&rig, &site, &id)?;
    let installer = wait_for("the installer", BOOT, || {
        second.goes_on()?;
        rig.console().find(begun, INSTALLER_UP)
    })?;
    wait_for("the installer in the journal", BOOT, || {
        second.goes_on()?;
        Ok(second.has_said(boot_id(&installer)?).then_some(()))
    })?;
    second.kill()?;

    let last = Run::resumed(&rig, &site, &id)?;
    ensure!(last.code == 0, "{} {}", last.code, last.said());
    ensure!(restarts(&rig).len() == 1, "{:?}", commands(&rig));
    let after = installer.at + Duration::from_millis(1);
    let again = rig.console().find(after, INSTALLER_UP)?;
    ensure!(again.is_none(), "a second installer: {again:?}");
    ensure!(!rig.snippet_exists() && !rig.snippet_is_listed());
    ensure!(rig.boot_override() == BootOverride::None);
    let marker = rig.try_ssh(Identity::Installer, &format!("cat {MARKER}"))?;
    ensure!(!marker.status.success(), "the old system is still there");
    Ok(())
}

/// When the BMC gave power anew.
fn restarts(rig: &Rig) -> Vec<Timestamp> {
    rig.chassis_log()
        .into_iter()
        .filter(|entry| entry.command == "power on" || entry.command == "reset")
        .map(|entry| entry.at)
        .collect()
}
