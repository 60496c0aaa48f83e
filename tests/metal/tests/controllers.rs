//! Two controllers, each with a state folder of its own, and one real machine.

mod wreimage;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use wreimage::{Going, Run, Site, locks};
use wreimage_metal::clock::{now, wait_for};
use wreimage_metal::disk::MARKER;
use wreimage_metal::machine::BootOverride;
use wreimage_metal::rig::{INSTALLER_UP, SSHD_UP};
use wreimage_metal::{BmcKind, Identity, Options, Rig};

const BOOT: Duration = Duration::from_secs(120);
/// The site's time to live of a claim, and what the machine takes meanwhile.
const STALE: Duration = Duration::from_secs(150);

/// What has been done to the machine and to the install server: commands to the BMC, starts of dhcpd.
fn done_to(rig: &Rig) -> (Vec<String>, u32) {
    let commands = rig.chassis_log().into_iter().map(|entry| entry.command);
    let starts = rig.install_server().dhcpd().starts();
    (commands.collect(), starts)
}

/// The second controller is refused, and neither the machine nor the install server is changed.
fn is_refused(rig: &Rig, site: &Site, more: &[&str], words: &[&str]) -> Result<()> {
    let before = done_to(rig);
    let run = Run::of(rig, site, more)?;
    ensure!(run.code == 40, "{} {}", run.code, run.said());
    for words in words {
        ensure!(run.said().contains(words), "{words}: {}", run.said());
    }
    ensure!(done_to(rig) == before, "{:?}", done_to(rig));
    ensure!(rig.snippet_exists(), "the entry of the first run is gone");
    Ok(())
}

/// What shows why a machine does not come back.
fn evidence(rig: &Rig) -> String {
    const LAST: usize = 6000;
    let dhcpd = rig.install_server().dhcpd();
    let console = std::fs::read(rig.directory().join("console.log")).unwrap_or_default();
    let console = console.get(console.len().saturating_sub(LAST)..);
    format!(
        "chassis: {:?}\nentry listed {}, there {}\ndhcpd, started {} times: {}\nconsole: {}",
        rig.chassis_log(),
        rig.snippet_is_listed(),
        rig.snippet_exists(),
        dhcpd.starts(),
        dhcpd.log(),
        String::from_utf8_lossy(console.unwrap_or_default())
    )
}

#[test]
fn a_second_controller_is_refused_takes_over_and_the_first_changes_nothing_more() -> Result<()> {
    let rig = Rig::start(Options {
        bmc: BmcKind::Pyghmi,
        ..Options::default()
    })?;
    rig.wait_for_old_os(BOOT)?;
    let ours = Site::default();
    let theirs = Site {
        home: Some("second"),
        ..Site::default()
    };
    let begun = now();

    // While the first one installs.
    let mut first = Going::begin(&rig, &ours)?;
    let installer = wait_for("the installer", BOOT, || {
        first.goes_on()?;
        rig.console().find(begun, INSTALLER_UP)
    })?;
    let id = first.id()?;
    let claimed = format!("claimed by the run {id} of");
    is_refused(&rig, &theirs, &[], &[&claimed, "fresh"])?;

    // And after its death: its claim is fresh, and then stale, which consent alone does not get around.
    first.kill()?;
    is_refused(&rig, &theirs, &["--take-over", &id], &[&claimed, "fresh"])?;
    wait_for("the installed system", BOOT, || {
        rig.console().find(installer.at, SSHD_UP)
    })?;
    wait_for("a stale claim", STALE, || {
        Ok(locks(&rig, &theirs)?.contains("stale").then_some(()))
    })?;
    let take_over = format!("--take-over {id}");
    is_refused(&rig, &theirs, &[], &[&claimed, "stale", &take_over])?;

    // It takes over by name, and reimages.
    rig.ssh(Identity::Installer, &format!("touch {MARKER}"))?;
    let second = Run::of(&rig, &theirs, &["--take-over", &id])?;
    ensure!(
        second.code == 0,
        "{} {}\n{}",
        second.code,
        second.said(),
        evidence(&rig)
    );
    let taken = format!("is taken over from the run {id}");
    ensure!(second.said().contains(&taken), "{}", second.said());
    let marker = rig.try_ssh(Identity::Installer, &format!("cat {MARKER}"))?;
    ensure!(!marker.status.success(), "the machine was not reimaged");
    ensure!(!rig.snippet_exists() && !rig.snippet_is_listed());
    ensure!(rig.boot_override() == BootOverride::None);

    // The first, resumed, changes nothing and says why.
    let before = done_to(&rig);
    let resumed = Run::resumed(&rig, &ours, &id)?;
    ensure!(resumed.code == 50, "{} {}", resumed.code, resumed.said());
    let by = second.events.first().context("no events")?["run"]
        .as_str()
        .context("no id")?;
    for words in [
        "belongs to another run",
        by,
        &format!("wreimage cleanup {id}"),
    ] {
        ensure!(resumed.said().contains(words), "{}", resumed.said());
    }
    let mut events = resumed.events.iter();
    let is_changed = events.any(|event| event["event"] == "intent");
    ensure!(!is_changed, "{}", resumed.said());
    ensure!(done_to(&rig) == before, "{:?}", done_to(&rig));
    Ok(())
}
