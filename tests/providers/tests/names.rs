//! `dns` by a hosts file, a name server on loopback, and the system; `netbox` from a file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::json;
use std::net::UdpSocket;
use wreimage_capability::netbox::{Device, DeviceKind, SwitchPort};
use wreimage_capability::{Fault, FaultKind, Providers};
use wreimage_provider_tests::call::ask;
use wreimage_provider_tests::site::{SERIAL, TestSite};
use wreimage_provider_tests::tools::udp_port;
use wreimage_site::Site;

async fn resolve(providers: &Providers, name: &str) -> Result<Vec<String>, Fault> {
    ask(providers, "dns.resolve", json!({ "name": name })).await
}

fn open(site: &TestSite, dns: &str) -> Providers {
    site.write(
        "site.toml",
        &format!("name = \"lab1\"\ndomain = \"lab1.test\"\n[dns]\n{dns}\n"),
    );
    Site::load(site.path("site.toml"))
        .unwrap()
        .open("host1001")
        .unwrap()
}

#[tokio::test]
async fn a_hosts_file() {
    let site = TestSite::new();
    site.write(
        "hosts",
        "127.0.0.1 host1001.lab1.test\n::1 host1001.lab1.test\n",
    );
    let providers = open(&site, "provider = \"hosts\"\nhosts = \"hosts\"");
    assert_eq!(
        resolve(&providers, "Host").await.unwrap(),
        ["127.0.0.1", "::1"]
    );
    let fault = resolve(&providers, "Management").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    assert!(
        fault.message.contains("host1001.mgmt.lab1.test"),
        "{}",
        fault.message
    );
}

/// Answers A questions for one name, and that there is no other name.
fn name_server() -> u16 {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((size, from)) = socket.recv_from(&mut buffer) {
            let question_end =
                12 + buffer[12..size].iter().position(|byte| *byte == 0).unwrap() + 5;
            let question = buffer[12..question_end].to_vec();
            let known = question.starts_with(b"\x08host1001\x04lab1\x04test\x00");
            let is_a = question[question.len() - 4..question.len() - 2] == [0, 1];
            let answers = u8::from(known && is_a);
            let mut reply = buffer[..2].to_vec();
            reply.extend([
                0x85,
                if known { 0x80 } else { 0x83 },
                0,
                1,
                0,
                answers,
                0,
                0,
                0,
                0,
            ]);
            reply.extend(&question);
            if answers == 1 {
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1]);
            }
            let _ = socket.send_to(&reply, from);
        }
    });
    port
}

#[tokio::test]
async fn a_name_server() {
    let site = TestSite::new();
    let port = name_server();
    let providers = open(
        &site,
        &format!("provider = \"server\"\nservers = [\"127.0.0.1:{port}\"]"),
    );
    assert_eq!(resolve(&providers, "Host").await.unwrap(), ["10.0.0.1"]);
    let fault = resolve(&providers, "Management").await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::NotFound, "dns.not-found")
    );
    let dead = udp_port();
    let dns = format!("provider = \"server\"\nservers = [\"127.0.0.1:{dead}\"]\ntimeout = \"1s\"");
    let fault = resolve(&open(&site, &dns), "Host").await.unwrap_err();
    assert!(
        matches!(fault.kind, FaultKind::Unreachable | FaultKind::Timeout),
        "{fault:?}"
    );
}

#[tokio::test]
async fn the_inventory_file() {
    let site = TestSite::new();
    let providers = site.open("");
    let device: Device = ask(&providers, "netbox.get-device", json!({}))
        .await
        .unwrap();
    assert_eq!(
        (device.fqdn.as_str(), device.serial.as_deref()),
        ("host1001.lab1.test", Some(SERIAL))
    );
    assert_eq!(
        device.management_fqdn.as_deref(),
        Some("host1001.mgmt.lab1.test")
    );
    let port: SwitchPort = ask(&providers, "netbox.get-switch-port", json!({}))
        .await
        .unwrap();
    assert_eq!(port.port, "ge-6/0/1");

    let other = site.load("").open("host9999").unwrap();
    let fault = ask::<Device>(&other, "netbox.get-device", json!({}))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);

    site.write("inventory.toml", "[hosts.host1001]\nkind = \"virtual\"\n");
    let fault = ask::<Device>(&providers, "netbox.get-device", json!({}))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "netbox.incomplete");
    site.write(
        "inventory.toml",
        "[hosts.host1001]\nstatus = \"active\"\nkind = \"virtual\"\n",
    );
    let providers = site.open("");
    let device: Device = ask(&providers, "netbox.get-device", json!({}))
        .await
        .unwrap();
    assert_eq!(
        (device.kind, device.management_fqdn),
        (DeviceKind::Virtual, None)
    );
    let fault = ask::<SwitchPort>(&providers, "netbox.get-switch-port", json!({}))
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unsupported);
    let fault = resolve(&providers, "Management").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unsupported);
}
