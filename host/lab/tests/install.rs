//! A machine installs only when every cause is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, Run, edited, happened, history};
use wreimage_capability::dhcp::{BootMethod, MatchKind};
use wreimage_capability::ipmi::{BootDevice, BootMode, PowerAction};
use wreimage_capability::{FaultKind, Polled};
use wreimage_lab::{Lab, Pace, World};

fn lab() -> Lab {
    Lab::new(World::builtin().unwrap(), Pace::Full)
}

#[tokio::test]
async fn a_healthy_machine_is_reinstalled() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    assert_eq!(run.release(At::Production).await.unwrap(), "buster");
    let old = run.boot_id(At::Production).await.unwrap();

    run.restart_into_installer("bullseye").await;

    let installer = run.next_boot(&old).await;
    assert!(
        installer
            .kernel_command_line
            .contains("BOOT_IMAGE=debian-installer")
    );
    assert_eq!(run.at(), 90 + 30 + 40, "POST, load, installer");
    let system = run.next_boot(&installer.boot_id).await;
    assert!(!system.kernel_command_line.contains("debian-installer"));
    assert_eq!(run.release(At::Installer).await.unwrap(), "bullseye");
    // Installation, shutdown, POST, boot.
    assert_eq!(run.at(), 160 + 720 + 8 + 90 + 45);

    let counters = lab.look(|world| world.counters("host1001"));
    assert_eq!((counters.power_cycles, counters.installations), (1, 1));
    let expected = [
        "DHCP entry published: bullseye-installer for asw1-a-lab1:ge-0/0/1.0:private1-a-lab1",
        "boot override set: network, legacy",
        "power cycle by BMC",
        "POST begins",
        "asks DHCP: served bullseye-installer by circuit-id",
        "starts bullseye-installer",
        "installer bullseye-installer is up: wipes the disk, installs",
        "bullseye is installed",
        "goes down for a restart: the installer has finished",
        "POST begins",
        "starts bullseye from the disk",
        "bullseye is up",
    ];
    assert_eq!(history(&lab, "host1001"), expected);
}

/// Told to boot from the network and restarted; returns what answered next.
async fn restart(run: &Run) -> wreimage_capability::remote::Boot {
    let old = run.boot_id(At::Production).await.unwrap();
    run.boot_from(BootDevice::Pxe, BootMode::Legacy)
        .await
        .unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    run.next_boot(&old).await
}

/// The old system is back, with its data.
async fn untouched(lab: &Lab, run: &Run, host: &str) {
    assert_eq!(run.release(At::Production).await.unwrap(), "buster");
    let counters = lab.look(|world| world.counters(host));
    assert_eq!((counters.installations_begun, counters.boots), (0, 1));
}

#[tokio::test]
async fn without_an_entry_it_falls_through_to_its_disk() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let boot = restart(&run).await;
    assert_eq!(boot.identity, At::Production);
    assert_eq!(run.at(), 90 + 60 + 45, "POST, PXE timeout, boot");
    untouched(&lab, &run, "host1001").await;
    assert!(happened(
        &lab,
        "host1001",
        "asks DHCP: no entry for its switch port, MAC or UUID"
    ));
}

#[tokio::test]
async fn without_a_boot_override_the_entry_is_not_asked_for() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    let old = run.boot_id(At::Production).await.unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    run.next_boot(&old).await;
    untouched(&lab, &run, "host1001").await;
    assert!(!happened(&lab, "host1001", "asks DHCP"));
}

#[tokio::test]
async fn an_entry_for_another_port_is_not_served() {
    let world = edited(
        "[machine.host1002]",
        "[machine.host1001.netbox]\nswitch = { name = \"asw1-a-lab1\", port = \"ge-7/0/7\", vlan = \"private1-a-lab1\" }\n\n[machine.host1002]",
    );
    let lab = Lab::new(world, Pace::Full);
    let run = Run::of(&lab, "host1001");
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    restart(&run).await;
    untouched(&lab, &run, "host1001").await;

    // The same machine by its MAC, which the inventory has right.
    run.publish("bullseye", MatchKind::Mac, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    let boot = restart(&run).await;
    assert_eq!(boot.identity, At::Installer);
    assert!(happened(
        &lab,
        "host1001",
        "served bullseye-installer by MAC"
    ));
}

#[tokio::test]
async fn a_uuid_is_matched_as_well() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    run.publish("trixie", MatchKind::Uuid, BootMethod::Ipxe)
        .await
        .unwrap();
    let boot = restart(&run).await;
    assert!(happened(
        &lab,
        "host1001",
        "served trixie-installer by UUID"
    ));
    assert!(
        !boot.kernel_command_line.contains("BOOT_IMAGE="),
        "iPXE does not set it"
    );
    assert!(boot.kernel_command_line.contains("preseed/url="));
}

#[tokio::test]
async fn an_entry_withdrawn_before_post_ends_is_not_served() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    run.boot_from(BootDevice::Pxe, BootMode::Legacy)
        .await
        .unwrap();
    let old = run.boot_id(At::Production).await.unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    run.sleep(89).await;
    assert!(run.withdraw().await.unwrap());
    run.next_boot(&old).await;
    untouched(&lab, &run, "host1001").await;
}

#[tokio::test]
async fn an_entry_withdrawn_after_post_has_done_its_work() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    run.boot_from(BootDevice::Pxe, BootMode::Legacy)
        .await
        .unwrap();
    let old = run.boot_id(At::Production).await.unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    run.sleep(90).await;
    assert!(run.withdraw().await.unwrap());
    assert_eq!(run.next_boot(&old).await.identity, At::Installer);
}

#[tokio::test]
async fn a_boot_path_that_does_not_exist_is_not_loaded() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    run.publish("bulseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    restart(&run).await;
    untouched(&lab, &run, "host1001").await;
    assert!(happened(
        &lab,
        "host1001",
        "cannot load bulseye-installer: no such boot path"
    ));
}

#[tokio::test]
async fn a_bmc_that_forgets_the_override_lets_the_disk_boot() {
    let world = edited(
        "[machine.host1002]",
        "[machine.host1001.bmc]\nforgets-override-after = \"60s\"\n\n[machine.host1002]",
    );
    let lab = Lab::new(world, Pace::Full);
    let run = Run::of(&lab, "host1001");
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    run.boot_from(BootDevice::Pxe, BootMode::Legacy)
        .await
        .unwrap();
    run.sleep(59).await;
    assert_eq!(run.flags().await.device, BootDevice::Pxe);
    run.sleep(1).await;
    assert_eq!(run.flags().await.device, BootDevice::None);
    let old = run.boot_id(At::Production).await.unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    run.next_boot(&old).await;
    untouched(&lab, &run, "host1001").await;

    // A restart in time stops that clock, although POST takes longer than a minute.
    assert_eq!(restart(&run).await.identity, At::Installer);
}

#[tokio::test]
async fn a_forced_network_boot_that_does_not_stick_is_told_and_can_be_repeated() {
    let world = edited("keeps-override = true", "pxe-does-not-stick = 2");
    let lab = Lab::new(world, Pace::Full);
    let run = Run::of(&lab, "host1004");
    for _ in 0..2 {
        let fault = run
            .boot_from(BootDevice::Pxe, BootMode::Legacy)
            .await
            .unwrap_err();
        assert_eq!(
            (fault.kind, fault.code.as_str()),
            (FaultKind::Rejected, "ipmi.boot-device-not-set")
        );
        assert!(fault.retryable);
        assert_eq!(run.flags().await.device, BootDevice::None);
    }
    let flags = run
        .boot_from(BootDevice::Pxe, BootMode::Legacy)
        .await
        .unwrap();
    assert_eq!(flags.raw, "8004000000");
}

#[tokio::test]
async fn uefi_ignores_a_legacy_override() {
    let lab = lab();
    let run = Run::of(&lab, "host1005");
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::UefiHttp)
        .await
        .unwrap();
    restart(&run).await;
    untouched(&lab, &run, "host1005").await;
    assert!(happened(
        &lab,
        "host1005",
        "ignores the legacy boot override"
    ));
}

#[tokio::test]
async fn uefi_installs_by_an_efi_override_and_its_own_boot_loader() {
    let lab = lab();
    let run = Run::of(&lab, "host1005");
    // A boot loader for BIOS does not start there.
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    let old = run.boot_id(At::Production).await.unwrap();
    let flags = run.boot_from(BootDevice::Pxe, BootMode::Efi).await.unwrap();
    assert_eq!(flags.raw, "a004000000");
    run.power(PowerAction::Cycle).await.unwrap();
    let old = run.next_boot(&old).await.boot_id;
    untouched(&lab, &run, "host1005").await;
    assert!(happened(
        &lab,
        "host1005",
        "its boot loader is for the other kind of firmware"
    ));

    run.publish("bullseye", MatchKind::CircuitId, BootMethod::UefiHttp)
        .await
        .unwrap();
    run.boot_from(BootDevice::Pxe, BootMode::Efi).await.unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    let installer = run.next_boot(&old).await;
    run.next_boot(&installer.boot_id).await;
    assert_eq!(run.release(At::Installer).await.unwrap(), "bullseye");
}

#[tokio::test]
async fn touching_the_override_while_the_installer_runs_on_uefi_loses_the_boot_entry() {
    let lab = lab();
    let run = Run::of(&lab, "host1005");
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::UefiHttp)
        .await
        .unwrap();
    let old = run.boot_id(At::Production).await.unwrap();
    run.boot_from(BootDevice::Pxe, BootMode::Efi).await.unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    run.next_boot(&old).await;
    let _: wreimage_capability::ipmi::BootFlags = run
        .call("ipmi.clear-boot-device", serde_json::json!({}))
        .await
        .unwrap();
    run.sleep(3600).await;
    let Polled::Pending { why, .. } = run.look(None).await else {
        panic!("it runs")
    };
    assert_eq!(why, "no answer (nothing bootable)");
}

#[tokio::test]
async fn a_kept_override_boots_the_installer_again_unless_it_is_cleared_there() {
    for clear in [false, true] {
        let lab = lab();
        let run = Run::of(&lab, "host1004");
        run.publish("bookworm", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
            .await
            .unwrap();
        let installer = restart(&run).await;
        assert_eq!(run.flags().await.device, BootDevice::Pxe, "kept");
        if clear {
            let flags: wreimage_capability::ipmi::BootFlags = run
                .call("ipmi.clear-boot-device", serde_json::json!({}))
                .await
                .unwrap();
            assert_eq!(flags.raw, "8000000000");
        }
        let next = run.next_boot(&installer.boot_id).await;
        assert_eq!(
            next.kernel_command_line.contains("debian-installer"),
            !clear
        );
        let begun = lab.look(|world| world.counters("host1004").installations_begun);
        assert_eq!(begun, if clear { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_machine_that_loops_stops_when_its_entry_expires() {
    let lab = lab();
    let run = Run::of(&lab, "host1004");
    run.publish("bookworm", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    restart(&run).await;
    // To the end of the calendar: a sleep that a guest may well ask for.
    run.clock.sleep_until(jiff::Timestamp::MAX).await;
    assert_eq!(run.clock.now(), jiff::Timestamp::MAX);
    let installations = lab.look(|world| world.counters("host1004").installations);
    assert!(
        (80..100).contains(&installations),
        "a day of quarter hours: {installations}"
    );
    assert_eq!(run.release(At::Installer).await.unwrap(), "bookworm");
}

#[tokio::test]
async fn other_kinds_of_machines() {
    let lab = lab();
    let never = Run::of(&lab, "host1002");
    let Polled::Pending { why, .. } = never.look(None).await else {
        panic!("it runs")
    };
    assert_eq!(why, "no answer (nothing bootable)");

    let off = Run::of(&lab, "host1003");
    let fault = off.power(PowerAction::Cycle).await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.code.as_str()),
        (FaultKind::Conflict, "ipmi.power-is-off")
    );
    off.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    off.boot_from(BootDevice::Pxe, BootMode::Legacy)
        .await
        .unwrap();
    off.power(PowerAction::On).await.unwrap();
    let installer = off.next_boot("").await;
    assert_eq!(installer.identity, At::Installer);
    let system = off.next_boot(&installer.boot_id).await;
    assert!(!system.kernel_command_line.contains("debian-installer"));
}

#[tokio::test]
async fn an_override_that_is_set_again_is_forgotten_by_its_own_timer() {
    let world = edited(
        "[machine.host1002]",
        "[machine.host1001.bmc]\nforgets-override-after = \"60s\"\n\n[machine.host1002]",
    );
    let lab = Lab::new(world, Pace::Full);
    let run = Run::of(&lab, "host1001");
    for _ in 0..2 {
        run.boot_from(BootDevice::Pxe, BootMode::Legacy)
            .await
            .unwrap();
        run.sleep(50).await;
    }
    assert_eq!(
        run.flags().await.device,
        BootDevice::Pxe,
        "50 s after the second"
    );
    run.sleep(10).await;
    assert_eq!(run.flags().await.device, BootDevice::None);
}

#[tokio::test]
async fn a_second_power_cycle_begins_post_anew() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let old = run.boot_id(At::Production).await.unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    run.sleep(50).await;
    run.power(PowerAction::Cycle).await.unwrap();
    run.next_boot(&old).await;
    assert_eq!(run.at(), 50 + 90 + 45);
    let counters = lab.look(|world| world.counters("host1001"));
    assert_eq!((counters.power_cycles, counters.boots), (2, 1));
}
