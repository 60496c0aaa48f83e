//! Rehearsals in a twin, and labs that follow real systems.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{At, Run, happened, named, said};
use jiff::Timestamp;
use serde_json::{Value, json};
use wreimage_capability::dhcp::{BootMethod, MatchKind, Published};
use wreimage_capability::ipmi::{
    BootDevice, BootFlags, BootMode, DeviceInfo, PowerAction, PowerState,
};
use wreimage_capability::netbox::{Device, SwitchPort};
use wreimage_capability::remote::Boot;
use wreimage_capability::{Function, Polled, function};
use wreimage_lab::{Lab, Pace, Stage, World};

/// What a run reads from the lab's own machines before it changes anything, as a dry run in the lab does.
async fn reads(host: &str) -> Vec<(&'static Function, Value, Value)> {
    let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
    let run = Run::of(&lab, host);
    let mut reads = Vec::new();
    for (name, arguments) in [
        ("netbox.get-device", json!({})),
        ("netbox.get-switch-port", json!({})),
        ("dns.resolve", json!({ "name": "Host" })),
        ("dns.resolve", json!({ "name": "Management" })),
        ("ipmi.get-power-state", json!({})),
        ("ipmi.get-boot-flags", json!({})),
        ("ipmi.get-device-info", json!({})),
        ("dhcp.get-published", json!({})),
        ("remote.get-boot-id", json!({ "at": "Production" })),
        ("remote.get-uptime", json!({ "at": "Production" })),
        ("remote.get-os-release", json!({ "at": "Production" })),
        ("remote.get-dmi", json!({ "at": "Production" })),
    ] {
        if let Ok(outcome) = run.call::<Value>(name, arguments.clone()).await {
            reads.push((named(name), arguments, outcome));
        }
    }
    reads
}

fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

async fn same(twin: &Run, reads: &[(&'static Function, Value, Value)]) {
    for (function, arguments, outcome) in reads {
        let answer: Value = twin
            .call(&function.to_string(), arguments.clone())
            .await
            .unwrap();
        assert_eq!(&answer, outcome, "{function}");
    }
}

#[tokio::test]
async fn a_twin_answers_what_was_read_and_goes_on_to_the_end() {
    for host in ["host1001", "host1003", "host1005", "host1006"] {
        let reads = reads(host).await;
        let lab = Lab::twin("lab1", host, &reads, start());
        let run = Run::of(&lab, host);
        assert_eq!(run.clock.now(), start());
        same(&run, &reads).await;
        assert!(
            run.heard.0.lock().unwrap().is_empty(),
            "{:?}",
            run.heard.0.lock().unwrap()
        );

        let uefi = host == "host1005";
        let off = host == "host1003";
        let (boot, mode) = if uefi {
            (BootMethod::UefiHttp, BootMode::Efi)
        } else {
            (BootMethod::PxelinuxHttp, BootMode::Legacy)
        };
        let old = if off {
            String::new()
        } else {
            run.boot_id(At::Production).await.unwrap()
        };
        // A release that no lab has: the twin takes all.
        run.publish("forky", MatchKind::CircuitId, boot)
            .await
            .unwrap();
        assert_eq!(
            *run.heard.0.lock().unwrap(),
            ["whether the install server has forky-installer and takes the entry"]
        );
        run.boot_from(BootDevice::Pxe, mode).await.unwrap();
        run.power(if off {
            PowerAction::On
        } else {
            PowerAction::Cycle
        })
        .await
        .unwrap();
        let installer = run.next_boot(&old).await;
        run.next_boot(&installer.boot_id).await;
        assert_eq!(run.release(At::Installer).await.unwrap(), "forky", "{host}");
        assert!(run.withdraw().await.unwrap());
    }
}

#[tokio::test]
async fn a_twin_of_a_stranger_is_healthy_and_says_what_it_assumes() {
    let lab = Lab::twin("far", "x1", &[], start());
    let run = Run::of(&lab, "x1");
    let heard = || std::mem::take(&mut *run.heard.0.lock().unwrap());
    for (name, arguments) in [
        ("netbox.get-device", json!({})),
        ("netbox.get-switch-port", json!({})),
        ("dns.resolve", json!({ "name": "Management" })),
        ("ipmi.get-device-info", json!({})),
        ("remote.get-dmi", json!({ "at": "Production" })),
    ] {
        let _: Value = run.call(name, arguments).await.unwrap();
        assert_eq!(heard().len(), 1, "{name}");
    }
    let state: PowerState = run.call("ipmi.get-power-state", json!({})).await.unwrap();
    assert_eq!(state, PowerState::On);
    let result = run
        .command(At::Production, &["frobnicate", "--all"])
        .await
        .unwrap();
    assert_eq!(said(&result), (0, "", ""));
    assert_eq!(heard(), ["what `frobnicate` does; success is assumed"]);
    assert_eq!(
        said(&run.command(At::Production, &["true"]).await.unwrap()).0,
        0
    );
    assert!(heard().is_empty(), "what is known needs no mark");
}

#[tokio::test]
async fn a_twin_that_is_off_or_in_its_installer() {
    let off = [(
        named("ipmi.get-power-state"),
        json!({}),
        json!(PowerState::Off),
    )];
    let lab = Lab::twin("far", "x1", &off, start());
    lab.look(|world| assert_eq!(world.machine("x1").unwrap().stage, Stage::Off));

    let line = json!("BOOT_IMAGE=debian-installer/amd64/linux preseed/url=http://x/");
    let installing = [
        (
            named("remote.get-kernel-command-line"),
            json!({ "at": "Installer" }),
            line.clone(),
        ),
        (
            named("remote.get-boot-id"),
            json!({ "at": "Installer" }),
            json!("abc"),
        ),
    ];
    let lab = Lab::twin("far", "x1", &installing, start());
    let run = Run::of(&lab, "x1");
    assert_eq!(run.boot_id(At::Installer).await.unwrap(), "abc");
    let seen: Value = run
        .call(
            "remote.get-kernel-command-line",
            json!({ "at": "Installer" }),
        )
        .await
        .unwrap();
    assert_eq!(seen, line);
    assert!(run.boot_id(At::Production).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_read_is_not_followed() {
    let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
    let before = lab.save();
    for capability in wreimage_capability::ALL {
        for function in capability.functions {
            for nonsense in [
                Value::Null,
                json!(-1),
                json!("x"),
                json!([1]),
                json!({ "at": 3, "name": [] }),
            ] {
                lab.follow("nobody", function, &nonsense, &nonsense);
                let bad =
                    json!({ "action": "Explode", "entry": 3, "name": "Nobody", "command": {} });
                lab.follow("host1001", function, &bad, &nonsense);
            }
        }
    }
    // An acknowledged withdrawal is all that can be read of these.
    assert_eq!(lab.save(), before);
}

fn follow(lab: &Lab, name: &str, arguments: Value, outcome: Value) {
    lab.follow("metal1", function(name).unwrap(), &arguments, &outcome);
}

/// Everything is real but `dhcp`: the lab learns the host from the inventory and answers `dhcp` for it.
#[tokio::test]
async fn a_mixed_site_follows_the_real_machine() {
    let lab = Lab::new(World::bare("metal"), Pace::Real);
    let run = Run::of(&lab, "metal1");
    assert!(
        run.publish("bookworm", MatchKind::Mac, BootMethod::PxelinuxHttp)
            .await
            .is_err()
    );

    let builtin = Lab::new(World::builtin().unwrap(), Pace::Full);
    let mut device: Device = Run::of(&builtin, "host1001")
        .call("netbox.get-device", json!({}))
        .await
        .unwrap();
    device.name = "metal1".to_owned();
    device.fqdn = "metal1.example.test".to_owned();
    device.serial = Some("REAL1".to_owned());
    follow(&lab, "netbox.get-device", json!({}), json!(device));
    let answer: Device = run.call("netbox.get-device", json!({})).await.unwrap();
    assert_eq!(answer, device);
    let port = SwitchPort {
        switch_name: "s".to_owned(),
        port: "p".to_owned(),
        vlan: "v".to_owned(),
        extra: Vec::new(),
    };
    follow(&lab, "netbox.get-switch-port", json!({}), json!(port));
    follow(
        &lab,
        "dns.resolve",
        json!({ "name": "Host" }),
        json!(["192.0.2.77"]),
    );
    let published = run
        .publish("bookworm", MatchKind::CircuitId, BootMethod::PxelinuxHttp)
        .await
        .unwrap();
    assert_eq!(published.matches, "s:p.0:v");

    let info = DeviceInfo {
        manufacturer: None,
        product: None,
        serial: Some("REAL1".to_owned()),
        guid: None,
        firmware: None,
        extra: Vec::new(),
    };
    follow(&lab, "ipmi.get-device-info", json!({}), json!(info));
    let flags = BootFlags {
        valid: true,
        persistent: false,
        efi: false,
        device: BootDevice::Pxe,
        raw: "8004000000".to_owned(),
        extra: Vec::new(),
    };
    follow(
        &lab,
        "ipmi.set-boot-device",
        json!({ "device": "Pxe", "mode": "Legacy" }),
        json!(flags),
    );
    assert_eq!(run.flags().await.device, BootDevice::Pxe);
    let old = run.boot_id(At::Production).await.unwrap();
    follow(
        &lab,
        "ipmi.set-power",
        json!({ "action": "Cycle" }),
        Value::Null,
    );
    let Polled::Pending { why, .. } = run.look(Some(&old)).await else {
        panic!("too early")
    };
    assert_eq!(why, "no answer (in POST)");

    // The real machine is faster than the lab's.
    let boot = |identity: At, id: &str, line: &str| {
        json!(Boot {
            identity,
            boot_id: id.to_owned(),
            kernel_command_line: line.to_owned(),
            uptime_ms: 3000,
            extra: Vec::new(),
        })
    };
    let line = "BOOT_IMAGE=debian-installer/amd64/linux";
    follow(
        &lab,
        "remote.wait-for-boot",
        json!({}),
        boot(At::Installer, "installer-boot", line),
    );
    assert_eq!(run.boot_id(At::Installer).await.unwrap(), "installer-boot");
    assert!(lab.look(|world| world.machine("metal1").unwrap().disk.is_none()));
    follow(
        &lab,
        "remote.wait-for-boot",
        json!({}),
        boot(At::Installer, "new-boot", "root=/dev/sda1"),
    );
    assert_eq!(run.boot_id(At::Installer).await.unwrap(), "new-boot");
    assert_eq!(
        run.release(At::Installer).await.unwrap(),
        "bookworm",
        "from the entry that was served"
    );
    let command = json!({ "at": "Installer", "command": { "argv": ["systemctl", "mask", "x.service"], "timeout_ms": 1 } });
    follow(&lab, "remote.run", command, json!({}));
    let masked = run
        .command(At::Installer, &["systemctl", "is-enabled", "x.service"])
        .await
        .unwrap();
    assert_eq!(said(&masked).1, "masked\n");
    follow(
        &lab,
        "remote.reboot",
        json!({ "at": "Installer" }),
        Value::Null,
    );
    assert!(happened(&lab, "metal1", "goes down for a restart"));
    follow(
        &lab,
        "ipmi.get-power-state",
        json!({}),
        json!(PowerState::Off),
    );
    lab.look(|world| assert_eq!(world.machine("metal1").unwrap().stage, Stage::Off));
}

#[tokio::test]
async fn a_real_dhcp_entry_makes_the_labs_machine_install() {
    let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
    let run = Run::of(&lab, "host1001");
    let published = Published {
        location: "x.conf".to_owned(),
        digest: "00".to_owned(),
        matches: "02:00:5e:00:10:01".to_owned(),
        text: "elsewhere".to_owned(),
        extra: Vec::new(),
    };
    let entry = json!({ "match_by": "Mac", "distribution": "forky", "media": "installer", "boot": "PxelinuxHttp" });
    lab.follow(
        "host1001",
        named("dhcp.publish"),
        &json!({ "entry": entry }),
        &json!(published),
    );
    let old = run.boot_id(At::Production).await.unwrap();
    run.boot_from(BootDevice::Pxe, BootMode::Legacy)
        .await
        .unwrap();
    run.power(PowerAction::Cycle).await.unwrap();
    assert_eq!(run.next_boot(&old).await.identity, At::Installer);
    lab.follow("host1001", named("dhcp.withdraw"), &json!({}), &json!(true));
    let there: Option<Published> = run.call("dhcp.get-published", json!({})).await.unwrap();
    assert_eq!(there, None);
}
