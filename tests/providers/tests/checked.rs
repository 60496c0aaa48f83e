//! Live providers use what was checked: the inventory's record, the BMC's addresses, and the accepted host key.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::{Value, json};
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wreimage_capability::ipmi::{DeviceInfo, PowerState};
use wreimage_capability::remote::Boot;
use wreimage_capability::{
    Call, Fault, FaultKind, HostSnapshot, PinnedBoot, Polled, Providers, Sink,
};
use wreimage_provider_tests::bmc::TestBmc;
use wreimage_provider_tests::call::{ask, checked, find, with};
use wreimage_provider_tests::remote::look;
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::{BOOT_ID, Sshd};
use wreimage_site::Site;

/// Calls with this call and no other record of the inventory.
async fn bare(
    call: &Call,
    providers: &Providers,
    function: &str,
    arguments: Value,
) -> Result<Value, Fault> {
    let (provider, function) = find(providers, function);
    match provider.perform(call, function, &arguments).await? {
        Polled::Ready(value) => Ok(value),
        Polled::Pending { why, .. } => panic!("{why}"),
    }
}

#[tokio::test]
async fn without_the_record_of_the_inventory_nothing_is_asked() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(""));
    let uptime = json!({ "at": "Production" });
    let fault = bare(&Call::alone(), &providers, "remote.get-uptime", uptime).await;
    assert_eq!(fault.unwrap_err().code, "site.no-inventory-record");
    let fault = bare(
        &Call::alone(),
        &providers,
        "dns.resolve",
        json!({ "name": "Host" }),
    )
    .await;
    assert_eq!(fault.unwrap_err().code, "site.no-inventory-record");
    assert_eq!(sshd.connections(), 0);
}

#[tokio::test]
async fn what_the_inventory_says_after_the_check_is_not_used() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(""));
    let call = checked(&Call::alone(), &providers).await;
    site.write(
        "inventory.toml",
        "[hosts.host1001]\nstatus = \"active\"\nfqdn = \"nowhere.lab1.test\"\nmanagement-fqdn = \"nowhere.lab1.test\"\n",
    );
    let uptime = json!({ "at": "Production" });
    assert!(
        with::<u64>(&call, &providers, "remote.get-uptime", uptime.clone())
            .await
            .is_ok()
    );
    // Read anew, it is.
    let fault = ask::<u64>(&providers, "remote.get-uptime", uptime).await;
    assert!(fault.unwrap_err().message.contains("nowhere.lab1.test"));
}

#[tokio::test]
async fn the_bmc_is_reached_where_it_was_checked() {
    let site = TestSite::new();
    let bmc = TestBmc::ipmi_sim(&site);
    let providers = site.open(&bmc.table("timeout = \"3s\"\ntries = 1\n"));
    let info: DeviceInfo = ask(&providers, "ipmi.get-device-info", json!({}))
        .await
        .unwrap();
    let addresses: Vec<&str> = info
        .extra
        .iter()
        .filter(|(name, _)| name == "address")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(addresses, ["127.0.0.1"]);
    let mut call = checked(&Call::alone(), &providers).await;
    let mut snapshot = HostSnapshot::clone(call.snapshot.as_ref().unwrap());
    snapshot.bmc_addresses = vec!["127.0.0.1".parse().unwrap()];
    call.snapshot = Some(Arc::new(snapshot));
    // The name is moved to another machine, which answers nothing.
    site.write(
        "hosts",
        "127.9.9.9 host1001.lab1.test host1001.mgmt.lab1.test\n",
    );
    let state = with::<PowerState>(&call, &providers, "ipmi.get-power-state", json!({})).await;
    assert!(matches!(state, Ok(Polled::Ready(_))), "{state:?}");
    let fault = ask::<PowerState>(&providers, "ipmi.get-power-state", json!({})).await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::Unreachable);
}

/// Remembers the first boot that was seen.
#[derive(Default)]
struct Pins(Mutex<Option<PinnedBoot>>);

impl Sink for Pins {
    fn progress(&self, _text: &str) {}
    fn keep(&self, _bytes: &[u8]) -> Option<String> {
        None
    }
    fn not_previewed(&self, _why: &str) {}
    fn pin(&self, boot: PinnedBoot) {
        *self.0.lock().unwrap() = Some(boot);
    }
}

#[tokio::test]
async fn at_the_installer_identity_only_the_accepted_host_key_is_accepted() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(""));
    let boot = match look(&providers, "Installer", Some("another")).await {
        Polled::Ready(boot) => boot,
        Polled::Pending { why, .. } => panic!("{why}"),
    };
    let host_key = boot.extra.iter().find(|(name, _)| name == "host-key");
    let host_key = host_key.unwrap().1.clone();

    // The first boot that is seen is reported, so that the run accepts no other.
    let pins = Arc::new(Pins::default());
    let first = Call::new("run", 1, pins.clone());
    let at = json!({ "at": "Installer" });
    let read =
        async |call: &Call| match with::<u64>(call, &providers, "remote.get-uptime", at.clone())
            .await
        {
            Ok(Polled::Ready(uptime)) => Ok(uptime),
            Ok(Polled::Pending { why, .. }) => panic!("{why}"),
            Err(fault) => Err(fault),
        };
    read(&first).await.unwrap();
    let accepted = PinnedBoot {
        boot_id: BOOT_ID.to_owned(),
        host_key,
    };
    assert_eq!(pins.0.lock().unwrap().as_ref(), Some(&accepted));

    let pinned = |boot: PinnedBoot| {
        let mut call = Call::alone();
        call.pinned = Some(Arc::new(boot));
        call
    };
    read(&pinned(accepted.clone())).await.unwrap();
    let other_key = PinnedBoot {
        host_key: "SHA256:another".to_owned(),
        ..accepted.clone()
    };
    let fault = read(&pinned(other_key.clone())).await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Denied, "remote.host-key")
    );
    assert!(
        fault.message.contains("SHA256:another") && fault.message.contains(&accepted.host_key),
        "{}",
        fault.message
    );
    let other_boot = PinnedBoot {
        boot_id: "b2".to_owned(),
        ..accepted.clone()
    };
    let fault = read(&pinned(other_boot)).await.unwrap_err();
    assert_eq!(fault.code, "remote.another-boot");

    // A wait for a boot accepts a new key, but not another key of the boot that was accepted.
    let wait = json!({
        "since": { "boot_id": "another", "time_ms": 0 }, "at": "Installer",
        "policy": { "deadline_ms": 60_000, "interval_ms": 200 },
    });
    let new_boot = PinnedBoot {
        boot_id: "b2".to_owned(),
        ..other_key.clone()
    };
    let seen = with::<Boot>(
        &pinned(new_boot),
        &providers,
        "remote.wait-for-boot",
        wait.clone(),
    )
    .await;
    assert!(matches!(seen, Ok(Polled::Ready(_))), "{seen:?}");
    let same_boot =
        with::<Boot>(&pinned(other_key), &providers, "remote.wait-for-boot", wait).await;
    assert_eq!(same_boot.unwrap_err().code, "remote.host-key");
}

/// Answers every question with an alias that leads back to itself.
fn looping_name_server() -> u16 {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((size, from)) = socket.recv_from(&mut buffer) {
            let name_end = 12 + buffer[12..size].iter().position(|byte| *byte == 0).unwrap() + 1;
            let question = buffer[12..name_end + 4].to_vec();
            let mut reply = buffer[..2].to_vec();
            reply.extend([0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            reply.extend(&question);
            // Owner and target are the name of the question.
            reply.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12]);
            let _ = socket.send_to(&reply, from);
        }
    });
    port
}

#[tokio::test]
async fn an_alias_of_the_management_name_that_leads_back_to_itself_ends_with_one_message() {
    let site = TestSite::new();
    let port = looping_name_server();
    let bmc = wreimage_provider_tests::bmc::table(9, "timeout = \"3s\"\ntries = 1\n");
    site.write(
        "site.toml",
        &format!(
            "name = \"lab1\"\ndomain = \"lab1.test\"\n[netbox]\nprovider = \"file\"\ninventory = \"inventory.toml\"\n\
             [dns]\nprovider = \"server\"\nservers = [\"127.0.0.1:{port}\"]\ntimeout = \"2s\"\n{bmc}"
        ),
    );
    let providers = Site::load(site.path("site.toml"))
        .unwrap()
        .open("host1001")
        .unwrap();
    let begin = Instant::now();
    let fault = ask::<DeviceInfo>(&providers, "ipmi.get-device-info", json!({})).await;
    let fault = fault.unwrap_err();
    assert!(
        begin.elapsed() < Duration::from_secs(6),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault:?}");
    assert!(
        fault.message.contains("host1001.mgmt.lab1.test")
            && fault.message.contains("nothing was sent"),
        "{}",
        fault.message
    );
}
