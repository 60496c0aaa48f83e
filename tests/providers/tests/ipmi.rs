//! `ipmi` by ipmitool against `ipmi_sim` and a BMC on pyghmi.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::json;
use std::time::{Duration, Instant};
use wreimage_capability::ipmi::{BootDevice, BootFlags, DeviceInfo, PowerState};
use wreimage_capability::{Call, FaultKind, Polled, Providers, Reconciled};
use wreimage_provider_tests::bmc::{PASSWORD, TestBmc, table};
use wreimage_provider_tests::call::{ask, reconcile, with, witness};
use wreimage_provider_tests::site::{SERIAL, TestSite, UUID};
use wreimage_provider_tests::sshd::{BOOT_ID, OTHER_BOOT_ID, Sshd};
use wreimage_provider_tests::tools::{script, udp_port};

async fn power(providers: &Providers) -> PowerState {
    ask(providers, "ipmi.get-power-state", json!({}))
        .await
        .unwrap_or_else(|fault| panic!("{fault:?}"))
}

async fn set_power(providers: &Providers, action: &str) -> Result<(), wreimage_capability::Fault> {
    ask(providers, "ipmi.set-power", json!({ "action": action })).await
}

async fn set_boot(
    providers: &Providers,
    device: &str,
    mode: &str,
) -> Result<BootFlags, wreimage_capability::Fault> {
    let arguments = json!({ "device": device, "mode": mode });
    ask(providers, "ipmi.set-boot-device", arguments).await
}

async fn walk_power(providers: &Providers, bmc: &TestBmc) {
    assert_eq!(power(providers).await, PowerState::On);
    set_power(providers, "Cycle").await.unwrap();
    assert_eq!(power(providers).await, PowerState::On);
    assert_eq!(bmc.changes()[..2], ["set power 0", "set power 1"]);
    set_power(providers, "Off").await.unwrap();
    assert_eq!(power(providers).await, PowerState::Off);
    let count = bmc.changes().len();
    let fault = set_power(providers, "Cycle").await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Conflict, "ipmi.machine-is-off")
    );
    assert_eq!(bmc.changes().len(), count, "nothing was touched");
    set_power(providers, "On").await.unwrap();
    assert_eq!(power(providers).await, PowerState::On);
}

#[tokio::test]
async fn ipmi_sim_power() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    walk_power(&site.open(&bmc.table("")), &bmc).await;
}

#[tokio::test]
async fn pyghmi_power_with_suite_17() {
    let site = TestSite::new();
    let bmc = TestBmc::pyghmi(&site);
    walk_power(&site.open(&bmc.table("cipher-suites = [17]")), &bmc).await;
}

#[tokio::test]
async fn ipmi_sim_boot_device() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    let providers = site.open(&bmc.table(""));
    let flags = set_boot(&providers, "Pxe", "Legacy").await.unwrap();
    // It never sets the valid bit, and has no parameter 3.
    assert_eq!(
        (flags.device, flags.valid, flags.raw.as_str()),
        (BootDevice::Pxe, false, "0004000000")
    );
    let flags: BootFlags = ask(&providers, "ipmi.clear-boot-device", json!({}))
        .await
        .unwrap();
    assert_eq!(flags.device, BootDevice::None);
    let flags = set_boot(&providers, "Pxe", "Efi").await.unwrap();
    assert!(
        flags
            .extra
            .contains(&("boot-mode".to_owned(), "not kept by the BMC".to_owned()))
    );
    let flags: BootFlags = ask(&providers, "ipmi.get-boot-flags", json!({}))
        .await
        .unwrap();
    assert_eq!(flags.device, BootDevice::Pxe);
}

#[tokio::test]
async fn a_boot_device_that_somebody_has_set_since_is_not_taken_back() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    let providers = site.open(&bmc.table(""));
    let there = set_boot(&providers, "Pxe", "Legacy").await.unwrap();
    let clear = async |made: &BootFlags| {
        let mut call = Call::alone();
        call.made = Some(serde_json::to_value(made).unwrap());
        match with(&call, &providers, "ipmi.clear-boot-device", json!({})).await? {
            Polled::Ready(flags) => Ok::<BootFlags, wreimage_capability::Fault>(flags),
            Polled::Pending { why, .. } => panic!("{why}"),
        }
    };
    // The simulator knows no other device: this run is the one that has set another.
    let mut other = there.clone();
    other.device = BootDevice::Disk;
    let fault = clear(&other).await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Conflict, "ipmi.not-ours")
    );
    assert_eq!(clear(&there).await.unwrap().device, BootDevice::None);
    assert_eq!(clear(&other).await.unwrap().device, BootDevice::None);
}

#[tokio::test]
async fn pyghmi_boot_device_with_both_suites() {
    let site = TestSite::new();
    let bmc = TestBmc::pyghmi(&site);
    for suites in ["[17]", "[3]"] {
        let providers = site.open(&bmc.table(&format!("cipher-suites = {suites}")));
        let flags = set_boot(&providers, "Pxe", "Efi").await.unwrap();
        // pyghmi keeps the device only.
        assert!(flags.valid && !flags.efi && !flags.persistent);
        assert_eq!((flags.raw.as_str(), flags.extra.len()), ("8004000000", 1));
        let flags = set_boot(&providers, "Pxe", "Legacy").await.unwrap();
        assert_eq!(flags.raw, "8004000000");
        let flags: BootFlags = ask(&providers, "ipmi.clear-boot-device", json!({}))
            .await
            .unwrap();
        assert_eq!(flags.device, BootDevice::None);
    }
}

#[tokio::test]
async fn a_boot_device_that_does_not_stick_is_a_fault_before_any_power_command() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    bmc.set("ignores-boot", "");
    let providers = site.open(&bmc.table(""));
    let fault = set_boot(&providers, "Pxe", "Legacy").await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Rejected, "ipmi.boot-device-not-set")
    );
    assert!(
        fault.message.contains("none (0000000000)"),
        "{}",
        fault.message
    );
    assert_eq!(
        bmc.changes(),
        ["set boot pxe"],
        "told once: the guest has the tries"
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_from_a_dead_bmc_and_not_tried_on() {
    for bmc in [TestBmc::ipmi_sim, TestBmc::pyghmi] {
        let site = TestSite::new();
        let bmc = bmc(&site);
        let tables = bmc.table("").replace(PASSWORD, "mistyped-pw");
        let providers = site.open(&tables);
        for _ in 0..2 {
            let fault = ask::<PowerState>(&providers, "ipmi.get-power-state", json!({}))
                .await
                .unwrap_err();
            assert_eq!(
                (&fault.kind, fault.code.as_str()),
                (&FaultKind::Denied, "ipmi.wrong-password")
            );
            assert!(
                !fault.retryable && fault.message.contains("command echo"),
                "{}",
                fault.message
            );
            assert!(!format!("{fault:?}").contains("mistyped-pw"), "{fault:?}");
        }
        let fault = set_power(&providers, "Off").await.unwrap_err();
        assert!(
            fault.message.contains("not tried again"),
            "{}",
            fault.message
        );
        assert!(bmc.changes().is_empty());
    }
}

#[tokio::test]
async fn a_user_that_the_bmc_does_not_know_is_denied() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    let providers = site.open(&bmc.table("user = \"nobody\""));
    let fault = ask::<PowerState>(&providers, "ipmi.get-power-state", json!({}))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ipmi.wrong-password");
    assert!(fault.message.contains("`nobody`"), "{}", fault.message);
}

#[tokio::test]
async fn a_dead_bmc_is_unreachable_within_the_bound() {
    let site = TestSite::new();
    let providers = site.open(&table(udp_port(), ""));
    let start = Instant::now();
    let fault = ask::<PowerState>(&providers, "ipmi.get-power-state", json!({}))
        .await
        .unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Unreachable, "ipmi.unreachable")
    );
    assert!(fault.retryable);
    assert!(
        start.elapsed() < Duration::from_secs(21),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable() {
    let site = TestSite::new();
    site.write("hosts", "127.0.0.1 host1001.lab1.test\n");
    let providers = site.open(&table(udp_port(), ""));
    let fault = ask::<PowerState>(&providers, "ipmi.get-power-state", json!({}))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    assert!(
        fault.message.contains("host1001.mgmt.lab1.test"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn no_common_cipher_suite_is_unsupported() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    let providers = site.open(&bmc.table("cipher-suites = [17]"));
    let fault = ask::<PowerState>(&providers, "ipmi.get-power-state", json!({}))
        .await
        .unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Unsupported, "ipmi.no-cipher-suite")
    );
    assert!(bmc.changes().is_empty());
}

#[tokio::test]
async fn bmcs_say_who_the_machine_is() {
    let site = TestSite::new();
    let sim = TestBmc::ipmi_sim(&site);
    let info: DeviceInfo = ask(
        &site.open(&sim.table("")),
        "ipmi.get-device-info",
        json!({}),
    )
    .await
    .unwrap();
    assert_eq!(info.guid.as_deref(), Some(UUID));
    assert_eq!(info.firmware.as_deref(), Some("9.08"));
    assert_eq!(
        (info.manufacturer.as_deref(), info.serial),
        (Some("MontaVista Software, Inc."), None)
    );
    let site = TestSite::new();
    let bmc = TestBmc::pyghmi(&site);
    let info: DeviceInfo = ask(
        &site.open(&bmc.table("")),
        "ipmi.get-device-info",
        json!({}),
    )
    .await
    .unwrap();
    assert_eq!(
        (info.guid.as_deref(), info.serial.as_deref()),
        (Some(UUID), Some(SERIAL))
    );
    assert_eq!(
        (info.manufacturer.as_deref(), info.product.as_deref()),
        (Some("Maker"), Some("Model"))
    );
}

#[tokio::test]
async fn a_cycle_whose_machine_is_still_off_was_taken() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    bmc.set("stays-off", "");
    let providers = site.open(&bmc.table(""));
    set_power(&providers, "Cycle").await.unwrap();
    assert_eq!(power(&providers).await, PowerState::Off);
}

/// The BMC is busy with the command and opens no session for a while.
#[tokio::test]
async fn a_lost_command_is_looked_for_past_a_moment_without_answers() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    script(
        &site.path("ipmitool"),
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho x >> reads\n\
         [ \"$(wc -l < reads)\" -gt 4 ] && exec /usr/bin/ipmitool \"$@\"\n\
         echo 'Error: Unable to establish IPMI v2 / RMCP+ session' >&2\nexit 1\n",
    );
    let more = format!("program = \"{}\"", site.path("ipmitool").display());
    let providers = site.open(&bmc.table(&more));
    bmc.set("power", "0");
    let arguments = json!({ "action": "Off" });
    let before = json!({ "power": "on" });
    let verdict = reconcile(&providers, "ipmi.set-power", &arguments, &before).await;
    assert_eq!(verdict, Reconciled::happened());
}

#[tokio::test]
async fn power_that_does_not_change_is_a_fault() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    bmc.set("ignores-power", "");
    let fault = set_power(&site.open(&bmc.table("")), "Off")
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ipmi.power-not-changed");
    assert_eq!(bmc.changes(), ["set power 0"], "told once");
}

/// On before and on after: only the boot id tells that a BMC which took the command did nothing.
#[tokio::test]
async fn a_cycle_that_the_machine_does_not_notice_is_a_fault() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    let mut sshd = Sshd::start(&site);
    let providers = site.open(&format!("{}{}", bmc.table(""), sshd.table("")));
    bmc.set("ignores-power", "");
    let cycle = json!({ "action": "Cycle" });
    let mut call = Call::alone();
    call.witness = Some(witness(&providers, "ipmi.set-power", &cycle).await);
    let told = |cycle| with::<()>(&call, &providers, "ipmi.set-power", cycle);
    let fault = told(cycle.clone()).await.unwrap_err();
    assert_eq!(fault.code, "ipmi.power-not-changed");
    assert!(fault.message.contains(BOOT_ID), "{}", fault.message);
    assert_eq!(bmc.changes().len(), 1, "told once: {:?}", bmc.changes());

    // One that goes down was cycled as far as anybody can tell.
    sshd.down();
    told(cycle).await.unwrap();
}

/// An ipmitool that hangs over power commands: the real one under it, the answer lost.
#[tokio::test]
async fn a_lost_answer_leaves_a_power_command_in_doubt_and_the_world_decides() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    script(
        &site.path("ipmitool"),
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\nenv | sort > seen-environment\necho \"$*\" >> seen-arguments\n\
         case \"$*\" in *'raw 0x00 0x02'*) [ -e lost ] || /usr/bin/ipmitool \"$@\" >/dev/null 2>&1; sleep 60;; esac\n\
         exec /usr/bin/ipmitool \"$@\"\n",
    );
    let more = format!(
        "timeout = \"2s\"\nprogram = \"{}\"",
        site.path("ipmitool").display()
    );
    let providers = site.open(&bmc.table(&more));
    let arguments = json!({ "action": "Off" });

    site.write("lost", "");
    let before = witness(&providers, "ipmi.set-power", &arguments).await;
    assert_eq!(before["power"], "on");
    let fault = set_power(&providers, "Off").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::InDoubt, "{}", fault.message);
    let verdict = reconcile(&providers, "ipmi.set-power", &arguments, &before).await;
    assert_eq!(verdict, Reconciled::DidNot);

    std::fs::remove_file(site.path("lost")).unwrap();
    let fault = set_power(&providers, "Off").await.unwrap_err();
    assert!(fault.leaves_doubt());
    let verdict = reconcile(&providers, "ipmi.set-power", &arguments, &before).await;
    assert_eq!(verdict, Reconciled::happened());
    assert_eq!(bmc.changes(), ["set power 0"], "never repeated");

    // Nothing tells one boot from another here.
    bmc.set("power", "1");
    let cycle = json!({ "action": "Cycle" });
    let verdict = reconcile(&providers, "ipmi.set-power", &cycle, &before).await;
    assert!(matches!(verdict, Reconciled::Unknown(_)), "{verdict:?}");

    let environment = std::fs::read_to_string(site.path("seen-environment")).unwrap();
    let names: Vec<&str> = environment
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    for name in names {
        assert!(
            [
                "IPMITOOL_PASSWORD",
                "LC_ALL",
                "PATH",
                "PWD",
                "OLDPWD",
                "SHLVL",
                "_"
            ]
            .contains(&name),
            "{environment}"
        );
    }
    let arguments = std::fs::read_to_string(site.path("seen-arguments")).unwrap();
    assert!(!arguments.contains(PASSWORD), "{arguments}");
    assert!(
        arguments
            .lines()
            .all(|line| line.contains(" -C 17 ") || line.contains(" -C 3 "))
    );
}

#[tokio::test]
async fn the_boot_id_tells_whether_a_lost_cycle_happened() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    let sshd = Sshd::start(&site);
    let providers = site.open(&format!("{}{}", bmc.table(""), sshd.table("")));
    let cycle = json!({ "action": "Cycle" });
    let before = witness(&providers, "ipmi.set-power", &cycle).await;
    assert_eq!(before["boot-id"], BOOT_ID);
    let verdict = reconcile(&providers, "ipmi.set-power", &cycle, &before).await;
    assert_eq!(verdict, Reconciled::DidNot);
    sshd.machine("boot_id", OTHER_BOOT_ID);
    let verdict = reconcile(&providers, "ipmi.set-power", &cycle, &before).await;
    assert_eq!(verdict, Reconciled::happened());
    assert!(bmc.changes().is_empty());
}

/// The identities are two ways to the same boot id; a site may have only one.
#[tokio::test]
async fn a_site_with_one_identity_has_boot_ids_too() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    let sshd = Sshd::start(&site);
    let table = sshd.table("");
    let (both, production) = table.split_once("[remote.production]").unwrap();
    let (_, installer) = both.split_once("[remote.installer]").unwrap();
    let without = table.replace(&format!("[remote.installer]{installer}"), "");
    assert!(without.contains(production) && !without.contains("[remote.installer]"));
    let providers = site.open(&format!("{}{without}", bmc.table("")));
    let cycle = json!({ "action": "Cycle" });
    let seen = witness(&providers, "ipmi.set-power", &cycle).await;
    assert_eq!(seen["boot-id"], BOOT_ID);
}

#[tokio::test]
async fn the_check_of_a_site_tries_the_bmc() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    let lines = site.load(&bmc.table("")).check(Some("host1001")).await;
    for line in &lines {
        assert!(line.ok, "{line:?}");
    }
    assert!(
        lines
            .iter()
            .any(|line| line.what.starts_with("BMC") && line.message == "power on"),
        "{lines:?}"
    );
    assert!(bmc.changes().is_empty());
}
