//! What each capability answers, fault for fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Run, edited};
use serde_json::{Value, json};
use wreimage_capability::dhcp::{BootMethod, MatchKind, Published};
use wreimage_capability::ipmi::{BootDevice, BootMode, DeviceInfo, PowerAction, PowerState};
use wreimage_capability::netbox::{Device, DeviceKind, DeviceStatus, SwitchPort};
use wreimage_capability::remote::Dmi;
use wreimage_capability::{Fault, FaultKind};
use wreimage_lab::{Lab, Pace, World};

fn lab() -> Lab {
    Lab::new(World::builtin().unwrap(), Pace::Full)
}

fn is(fault: &Fault, kind: FaultKind, code: &str) {
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&kind, code),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn the_inventory_tells_the_device_and_its_port() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let device: Device = run.call("netbox.get-device", json!({})).await.unwrap();
    assert_eq!(device.fqdn, "host1001.lab1.test");
    assert_eq!(device.management_fqdn.unwrap(), "host1001.mgmt.lab1.test");
    assert_eq!(device.status, DeviceStatus::Active);
    let port: SwitchPort = run.call("netbox.get-switch-port", json!({})).await.unwrap();
    assert_eq!(port.port, "ge-0/0/1");

    let protected: Device = Run::of(&lab, "db1001")
        .call("netbox.get-device", json!({}))
        .await
        .unwrap();
    assert_eq!(protected.tags, ["protected"]);

    let machine = Run::of(&lab, "vm1001");
    let device: Device = machine.call("netbox.get-device", json!({})).await.unwrap();
    assert_eq!(
        (device.kind, device.management_fqdn),
        (DeviceKind::Virtual, None)
    );
    let fault = machine
        .call::<SwitchPort>("netbox.get-switch-port", json!({}))
        .await
        .unwrap_err();
    is(&fault, FaultKind::Unsupported, "netbox.virtual");
    let fault = machine
        .call::<Value>("ipmi.get-power-state", json!({}))
        .await
        .unwrap_err();
    is(&fault, FaultKind::Unsupported, "ipmi.no-bmc");
    let fault = machine
        .call::<Value>("dns.resolve", json!({ "name": "Management" }))
        .await
        .unwrap_err();
    is(&fault, FaultKind::Unsupported, "dns.no-management");
}

#[tokio::test]
async fn an_unknown_host_is_told_with_its_neighbours() {
    let lab = lab();
    let run = Run::of(&lab, "host1O01");
    let fault = run
        .call::<Value>("netbox.get-device", json!({}))
        .await
        .unwrap_err();
    is(&fault, FaultKind::NotFound, "netbox.no-device");
    assert_eq!(
        fault.message,
        "site lab1 has no device named host1O01; did you mean host1001, host1002, host1003?"
    );
    let fault = run.power(PowerAction::Cycle).await.unwrap_err();
    is(&fault, FaultKind::NotFound, "netbox.no-device");
    let far = Run::of(&lab, "completely-different");
    let fault = far
        .call::<Value>("dhcp.withdraw", json!({}))
        .await
        .unwrap_err();
    assert!(
        fault
            .message
            .contains("; it has db1001, host1001, host1002, "),
        "{}",
        fault.message
    );
    let bare = Lab::new(World::bare("empty"), Pace::Full);
    let fault = Run::of(&bare, "a")
        .call::<Value>("dhcp.withdraw", json!({}))
        .await
        .unwrap_err();
    assert_eq!(
        fault.message,
        "site empty has no device named a; it has none at all"
    );
}

#[tokio::test]
async fn an_uncabled_interface_is_told() {
    let lab = Lab::new(
        edited(
            "status = \"planned\"",
            "status = \"planned\"\ncabled = false\naddress = \"\"\nmac = \"\"",
        ),
        Pace::Full,
    );
    let run = Run::of(&lab, "host1002");
    let fault = run
        .call::<Value>("netbox.get-switch-port", json!({}))
        .await
        .unwrap_err();
    is(&fault, FaultKind::NotFound, "netbox.not-cabled");
    let fault = run
        .publish("bullseye", MatchKind::Mac, BootMethod::PxelinuxHttp)
        .await
        .unwrap_err();
    is(&fault, FaultKind::NotFound, "dhcp.nothing-to-match");
    assert!(
        fault.message.contains("no primary address of host1002"),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn names_resolve_or_do_not() {
    let lab = lab();
    let good = Run::of(&lab, "host1001");
    let host: Vec<String> = good
        .call("dns.resolve", json!({ "name": "Host" }))
        .await
        .unwrap();
    assert_eq!(host, ["192.0.2.11"]);
    let management: Vec<String> = good
        .call("dns.resolve", json!({ "name": "Management" }))
        .await
        .unwrap();
    assert_eq!(management, ["198.51.100.11"]);

    let bad = Run::of(&lab, "host1009");
    let fault = bad
        .call::<Value>("dns.resolve", json!({ "name": "Management" }))
        .await
        .unwrap_err();
    is(&fault, FaultKind::NotFound, "dns.no-address");
    assert!(
        fault.message.contains("host1009.mgmt.lab1.test"),
        "{}",
        fault.message
    );
    let fault = bad
        .call::<Value>("ipmi.get-power-state", json!({}))
        .await
        .unwrap_err();
    is(&fault, FaultKind::Unreachable, "ipmi.unreachable");
}

#[tokio::test]
async fn a_bmc_answers_or_says_why_not() {
    let lab = lab();
    let state: PowerState = Run::of(&lab, "host1001")
        .call("ipmi.get-power-state", json!({}))
        .await
        .unwrap();
    assert_eq!(state, PowerState::On);
    let state: PowerState = Run::of(&lab, "host1003")
        .call("ipmi.get-power-state", json!({}))
        .await
        .unwrap();
    assert_eq!(state, PowerState::Off);
    for (answers, kind, code) in [
        ("no", FaultKind::Unreachable, "ipmi.unreachable"),
        ("wrong-password", FaultKind::Denied, "ipmi.wrong-password"),
        (
            "no-cipher-suite",
            FaultKind::Unsupported,
            "ipmi.no-cipher-suite",
        ),
    ] {
        let world = edited("answers = \"no\"\n", &format!("answers = \"{answers}\"\n"));
        let lab = Lab::new(world, Pace::Full);
        let run = Run::of(&lab, "host1010");
        for name in [
            "ipmi.get-power-state",
            "ipmi.get-boot-flags",
            "ipmi.get-device-info",
            "ipmi.clear-boot-device",
        ] {
            is(
                &run.call::<Value>(name, json!({})).await.unwrap_err(),
                kind.clone(),
                code,
            );
        }
        is(
            &run.power(PowerAction::Cycle).await.unwrap_err(),
            kind.clone(),
            code,
        );
        is(
            &run.boot_from(BootDevice::Pxe, BootMode::Legacy)
                .await
                .unwrap_err(),
            kind.clone(),
            code,
        );
        assert_eq!(lab.look(|world| world.counters("host1010").power_cycles), 0);
    }
}

#[tokio::test]
async fn a_bmc_may_belong_to_another_machine() {
    let lab = lab();
    let run = Run::of(&lab, "host1006");
    let device: Device = run.call("netbox.get-device", json!({})).await.unwrap();
    let info: DeviceInfo = run.call("ipmi.get-device-info", json!({})).await.unwrap();
    assert_eq!(device.serial.as_deref(), Some("LAB1006"));
    assert_eq!(info.serial.as_deref(), Some("LAB1066"));
    assert_ne!(info.guid, device.machine_uuid);
    let dmi: Dmi = run
        .call("remote.get-dmi", json!({ "at": "Production" }))
        .await
        .unwrap();
    assert_eq!(
        (dmi.serial, dmi.machine_uuid),
        (device.serial, device.machine_uuid)
    );

    let healthy = Run::of(&lab, "host1001");
    let device: Device = healthy.call("netbox.get-device", json!({})).await.unwrap();
    let info: DeviceInfo = healthy
        .call("ipmi.get-device-info", json!({}))
        .await
        .unwrap();
    assert_eq!(
        (info.serial, info.guid),
        (device.serial, device.machine_uuid)
    );
}

#[tokio::test]
async fn a_boot_device_that_ipmi_does_not_know_is_unsupported() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let device = BootDevice::Other("floppy".to_owned());
    let fault = run.boot_from(device, BootMode::Legacy).await.unwrap_err();
    is(&fault, FaultKind::Unsupported, "ipmi.boot-device");
}

#[tokio::test]
async fn words_from_a_guest_do_not_reach_a_configuration_file() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    for word in [
        "",
        "Bullseye",
        "a b",
        "../x",
        "a\"; include \"/etc/shadow",
        "a\nb",
        "ä",
        &"a".repeat(65),
    ] {
        let fault = run
            .publish(word, MatchKind::CircuitId, BootMethod::PxelinuxHttp)
            .await
            .unwrap_err();
        is(&fault, FaultKind::Rejected, "dhcp.bad-word");
    }
    let other = MatchKind::Other("moon".to_owned());
    is(
        &run.publish("bullseye", other, BootMethod::PxelinuxHttp)
            .await
            .unwrap_err(),
        FaultKind::Unsupported,
        "dhcp.unsupported",
    );
    let other = BootMethod::Other("moon".to_owned());
    is(
        &run.publish("bullseye", MatchKind::Mac, other)
            .await
            .unwrap_err(),
        FaultKind::Unsupported,
        "dhcp.unsupported",
    );
    let nothing: Option<Published> = run.call("dhcp.get-published", json!({})).await.unwrap();
    assert_eq!(nothing, None);
}

#[tokio::test]
async fn an_entry_is_the_text_of_the_real_servers() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let published = run
        .publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    assert_eq!(
        published.text,
        "\nhost host1001 {\n    host-identifier option agent.circuit-id \"asw1-a-lab1:ge-0/0/1.0:private1-a-lab1\";\n    \
         fixed-address 192.0.2.11;\n    \
         option pxelinux.pathprefix \"http://apt.lab1.test/tftpboot/bullseye-installer/\";\n}\n"
    );
    assert_eq!(published.location, "ttyS1-115200/host1001.conf");
    let again: Option<Published> = run.call("dhcp.get-published", json!({})).await.unwrap();
    assert_eq!(again.unwrap(), published);
}

#[tokio::test]
async fn only_what_the_run_made_is_withdrawn() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    let other = Run::named(&lab, "host1001", "another", None);
    assert!(!run.withdraw().await.unwrap(), "nothing there");
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    is(
        &other.withdraw().await.unwrap_err(),
        FaultKind::Conflict,
        "dhcp.not-ours",
    );
    // Another run of the same release publishes the same text.
    for distribution in ["trixie", "bullseye"] {
        other
            .publish(distribution, MatchKind::CircuitId, BootMethod::PxelinuxHttp)
            .await
            .unwrap();
        is(
            &run.withdraw().await.unwrap_err(),
            FaultKind::Conflict,
            "dhcp.not-ours",
        );
    }
    assert!(other.withdraw().await.unwrap());
    assert!(!other.withdraw().await.unwrap());
}

#[tokio::test]
async fn an_entry_expires_by_itself_unless_it_was_replaced() {
    let lab = lab();
    let run = Run::of(&lab, "host1001");
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    run.sleep(12 * 3600).await;
    run.publish("bullseye", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    run.sleep(24 * 3600 - 1).await;
    assert!(
        run.call::<Option<Published>>("dhcp.get-published", json!({}))
            .await
            .unwrap()
            .is_some()
    );
    run.sleep(1).await;
    assert!(
        run.call::<Option<Published>>("dhcp.get-published", json!({}))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_refused_configuration_leaves_no_entry() {
    let lab = Lab::new(edited("rejects = 0 ", "rejects = 1 "), Pace::Full);
    let run = Run::of(&lab, "host1001");
    let fault = run
        .publish("bullseye", MatchKind::Mac, BootMethod::PxelinuxHttp)
        .await
        .unwrap_err();
    is(&fault, FaultKind::Rejected, "dhcp.refused");
    assert!(
        run.call::<Option<Published>>("dhcp.get-published", json!({}))
            .await
            .unwrap()
            .is_none()
    );
    run.publish("bullseye", MatchKind::Mac, BootMethod::PxelinuxHttp)
        .await
        .unwrap();

    let lab = Lab::new(
        edited("reachable = true ", "reachable = false "),
        Pace::Full,
    );
    let run = Run::of(&lab, "host1001");
    for name in ["dhcp.get-published", "dhcp.withdraw"] {
        is(
            &run.call::<Value>(name, json!({})).await.unwrap_err(),
            FaultKind::Unreachable,
            "dhcp.unreachable",
        );
    }
}
