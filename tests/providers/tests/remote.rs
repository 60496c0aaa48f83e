//! `remote` by the built-in SSH client against a real sshd: keys, reads and waiting for a boot.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::{Value, json};
use std::io::Read;
use std::time::{Duration, Instant};
use wreimage_capability::remote::{Dmi, OsRelease};
use wreimage_capability::{FaultKind, Polled};
use wreimage_provider_tests::call::ask;
use wreimage_provider_tests::remote::{boot_id, look, pending};
use wreimage_provider_tests::site::{SERIAL, TestSite, UUID};
use wreimage_provider_tests::sshd::{BOOT_ID, OTHER_BOOT_ID, Sshd, keygen};

#[tokio::test]
async fn both_identities_read_what_the_machine_says() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(""));
    for at in ["Production", "Installer"] {
        let at = json!({ "at": at });
        let read = |function| ask::<Value>(&providers, function, at.clone());
        assert_eq!(read("remote.get-boot-id").await.unwrap(), BOOT_ID);
        assert_eq!(read("remote.get-uptime").await.unwrap(), 1_000_500);
        assert_eq!(read("remote.get-host-name").await.unwrap(), "host1001");
        let line = read("remote.get-kernel-command-line").await.unwrap();
        assert_eq!(line, "BOOT_IMAGE=/vmlinuz root=/dev/vda1 quiet");
        let os: OsRelease = ask(&providers, "remote.get-os-release", at.clone())
            .await
            .unwrap();
        assert_eq!(
            (os.id.as_str(), os.codename.as_str()),
            ("debian", "bookworm")
        );
        let dmi: Dmi = ask(&providers, "remote.get-dmi", at.clone()).await.unwrap();
        assert_eq!(
            (dmi.serial.as_deref(), dmi.machine_uuid.as_deref()),
            (Some(SERIAL), Some(UUID))
        );
    }
    std::fs::remove_file(site.path("machine/os-release")).unwrap();
    let fault = ask::<OsRelease>(
        &providers,
        "remote.get-os-release",
        json!({ "at": "Installer" }),
    )
    .await;
    assert_eq!(fault.unwrap_err().kind, FaultKind::NotFound);
    site.write("says", "System is going down.\n");
    let fault = boot_id(&providers, "Production").await.unwrap_err();
    assert_eq!((&fault.kind, fault.retryable), (&FaultKind::Rejected, true));
    assert!(
        fault.message.contains("System is going down."),
        "{}",
        fault.message
    );
}

#[tokio::test]
async fn refused_keys_unknown_and_changed_host_keys_are_told_apart() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(""));
    sshd.allow(&["stranger"]);
    let fault = boot_id(&providers, "Production").await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Denied, "remote.auth-refused")
    );
    sshd.allow(&["production"]);

    sshd.know("stranger");
    let fault = boot_id(&providers, "Production").await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Denied, "remote.host-key")
    );
    assert!(
        fault.message.contains("known_hosts, line 1, has another"),
        "{}",
        fault.message
    );

    site.write("known_hosts", "");
    let fault = boot_id(&providers, "Production").await.unwrap_err();
    assert_eq!(fault.code, "remote.host-key");
    assert!(
        fault.message.contains("has none of this host"),
        "{}",
        fault.message
    );

    std::fs::remove_file(site.path("known_hosts")).unwrap();
    let fault = boot_id(&providers, "Production").await.unwrap_err();
    assert!(
        fault.message.contains("cannot be read"),
        "{}",
        fault.message
    );

    std::fs::remove_file(site.path("production")).unwrap();
    sshd.know("host-ed25519");
    let fault = boot_id(&site.open(&sshd.table("")), "Production")
        .await
        .unwrap_err();
    assert_eq!(fault.code, "remote.key-file");
}

#[tokio::test]
async fn the_key_of_another_machine_at_the_address_is_refused() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let key = |name: &str| std::fs::read_to_string(site.path(&format!("{name}.pub"))).unwrap();
    for of_name in [key("stranger"), String::new()] {
        let mut text = format!("[127.0.0.1]:{} {}", sshd.port, key("host-ed25519"));
        if !of_name.is_empty() {
            text.push_str(&format!("[host1001.lab1.test]:{} {of_name}", sshd.port));
        }
        site.write("known_hosts", &text);
        let fault = boot_id(&site.open(&sshd.table("")), "Production")
            .await
            .unwrap_err();
        assert_eq!(
            (&fault.kind, fault.code.as_str()),
            (&FaultKind::Denied, "remote.host-key")
        );
    }
}

#[tokio::test]
async fn a_wait_with_a_key_that_cannot_be_used_ends_at_once() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let fault_of = async |tables: &str, at: &str| {
        let arguments = json!({
            "since": { "boot_id": BOOT_ID, "time_ms": 0 },
            "at": at,
            "policy": { "deadline_ms": 60_000, "interval_ms": 200 },
        });
        ask::<Value>(&site.open(tables), "remote.wait-for-boot", arguments)
            .await
            .unwrap_err()
    };
    let table = sshd.table("");
    let without = &table[..table.find("[remote.production]").unwrap()];
    let fault = fault_of(without, "Production").await;
    assert_eq!(fault.code, "remote.no-identity");
    std::fs::remove_file(site.path("installer")).unwrap();
    for at in ["Installer", "Either"] {
        let fault = fault_of(&table, at).await;
        assert_eq!(
            (&fault.kind, fault.code.as_str()),
            (&FaultKind::Denied, "remote.key-file")
        );
    }
}

#[tokio::test]
async fn a_server_with_several_host_keys_shows_the_known_one() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    sshd.know("host-rsa");
    assert_eq!(
        boot_id(&site.open(&sshd.table("")), "Production")
            .await
            .unwrap(),
        BOOT_ID
    );
}

#[tokio::test]
async fn keys_may_be_ecdsa_and_encrypted() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    for kind in ["ecdsa", "ed25519"] {
        keygen(&site.path("production"), kind, "open sesame");
        sshd.allow(&["production"]);
        let table = sshd.table("").replace(
            "[remote.production]\n",
            "[remote.production]\npassphrase = { command = [\"echo\", \"open sesame\"] }\n",
        );
        assert_eq!(
            boot_id(&site.open(&table), "Production").await.unwrap(),
            BOOT_ID,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn an_rsa_key_file_is_refused_before_a_connection_is_made() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    keygen(&site.path("production"), "rsa", "");
    sshd.allow(&["production"]);
    let before = sshd.connections();
    let fault = boot_id(&site.open(&sshd.table("")), "Production")
        .await
        .unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Denied, "remote.key-file")
    );
    assert!(
        fault.message.contains("ssh-keygen -t ed25519"),
        "{}",
        fault.message
    );
    assert_eq!(sshd.connections(), before);
}

#[tokio::test]
async fn the_installer_is_trusted_on_first_use_for_one_boot() {
    let site = TestSite::new();
    let mut sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(""));
    let Polled::Ready(boot) = look(&providers, "Installer", Some(OTHER_BOOT_ID)).await else {
        panic!("pending")
    };
    assert!(boot.extra[0].1.starts_with("SHA256:"), "{boot:?}");

    sshd.down();
    keygen(&site.path("host-ed25519"), "ed25519", "");
    sshd.up();
    let fault = boot_id(&providers, "Installer").await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Denied, "remote.host-key")
    );
    assert!(
        fault.message.contains("in the same boot"),
        "{}",
        fault.message
    );

    sshd.machine("boot_id", OTHER_BOOT_ID);
    assert_eq!(
        boot_id(&providers, "Installer").await.unwrap(),
        OTHER_BOOT_ID
    );
}

#[tokio::test]
async fn what_does_not_answer_is_pending_and_never_hangs() {
    let site = TestSite::new();
    let mut sshd = Sshd::new(&site, true);
    let providers = site.open(&sshd.table("login-timeout = \"1s\""));
    let why = pending(&providers, "Either", Some(BOOT_ID)).await;
    assert!(
        why.contains("installer:") && why.contains("production:") && why.contains("refused"),
        "{why}"
    );
    let fault = boot_id(&providers, "Production").await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.retryable),
        (&FaultKind::Unreachable, true)
    );

    // Takes the connection, and says nothing.
    let listener = std::net::TcpListener::bind(("127.0.0.1", sshd.port)).unwrap();
    let start = Instant::now();
    let why = pending(&providers, "Either", Some(BOOT_ID)).await;
    assert!(why.contains("did not end within 1 s"), "{why}");
    assert!(start.elapsed() < Duration::from_secs(3));
    drop(listener);

    sshd.up();
    let why = pending(&providers, "Either", Some(BOOT_ID)).await;
    assert!(why.contains("still the boot"), "{why}");
    sshd.allow(&[]);
    let why = pending(&providers, "Either", Some(BOOT_ID)).await;
    assert!(why.contains("refuses the key"), "{why}");
    sshd.allow(&["production", "installer"]);
    site.write("says", "System is booting up.\n");
    let why = pending(&providers, "Production", Some(BOOT_ID)).await;
    assert!(why.contains("System is booting up."), "{why}");
}

/// A machine that starts is slow, and each login costs it much.
#[tokio::test]
async fn a_look_at_either_identity_is_one_connection() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(""));
    // The connection by which the test saw that it is up may be logged late.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ready = async |at: &str| match look(&providers, "Either", Some(OTHER_BOOT_ID)).await {
        Polled::Ready(boot) => {
            assert_eq!(format!("{:?}", boot.identity), format!("Identity::{at}"))
        }
        Polled::Pending { why, .. } => panic!("{at}: {why}"),
    };
    for (allowed, known, at) in [
        (&["production", "installer"][..], true, "Production"),
        (&["installer"], true, "Installer"),
        (&["production", "installer"], false, "Installer"),
    ] {
        sshd.allow(allowed);
        sshd.know(if known { "host-ed25519" } else { "stranger" });
        let before = sshd.connections();
        ready(at).await;
        assert_eq!(sshd.connections() - before, 1, "{at}");
    }
    // That the known keys cannot be read hinders the production identity only.
    std::fs::remove_file(site.path("known_hosts")).unwrap();
    ready("Installer").await;
    let why = pending(&providers, "Production", Some(OTHER_BOOT_ID)).await;
    assert!(why.contains("cannot be read"), "{why}");
}

#[tokio::test]
async fn without_a_boot_id_the_uptime_tells() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(""));
    // Since the epoch the machine has been down at some time.
    assert!(matches!(
        look(&providers, "Production", None).await,
        Polled::Ready(_)
    ));
    sshd.machine("uptime", "9999999999.0 1.0");
    let why = pending(&providers, "Production", None).await;
    assert!(why.contains("still the boot"), "{why}");
}

#[tokio::test]
async fn a_new_boot_is_seen_within_half_a_second() {
    let site = TestSite::new();
    let mut sshd = Sshd::new(&site, true);
    sshd.allow(&["installer"]);
    let providers = site.open(&sshd.table(""));
    // The kernel kills a server whose starting thread ends: this one stays until the test is over.
    let (done, over) = std::sync::mpsc::channel::<()>();
    let (told, started) = std::sync::mpsc::channel();
    let up = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        sshd.up();
        told.send(Instant::now()).unwrap();
        let _ = over.recv();
    });
    let end = Instant::now() + Duration::from_secs(30);
    let boot = loop {
        match look(&providers, "Either", Some(OTHER_BOOT_ID)).await {
            Polled::Ready(boot) => break boot,
            Polled::Pending { why, .. } => assert!(Instant::now() < end, "{why}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let seen = Instant::now();
    let up_at = started.recv().unwrap();
    drop(done);
    up.join().unwrap();
    assert_eq!(boot.boot_id, BOOT_ID);
    let late = seen.saturating_duration_since(up_at);
    println!("seen {late:?} after sshd was up");
    assert!(late < Duration::from_millis(500), "{late:?}");
}

/// A port whose queue of connections is full drops what comes, as a machine does that is not there.
#[tokio::test]
async fn a_machine_that_swallows_packets_is_given_up_in_time() {
    let site = TestSite::new();
    let sshd = Sshd::new(&site, true);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket
        .bind(format!("127.0.0.1:{}", sshd.port).parse().unwrap())
        .unwrap();
    let listener = socket.listen(0).unwrap();
    let _full = std::net::TcpStream::connect(("127.0.0.1", sshd.port)).unwrap();
    let providers = site.open(&sshd.table("connect-timeout = \"700ms\""));
    let start = Instant::now();
    let fault = boot_id(&providers, "Production").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault:?}");
    assert!(
        fault.message.contains("no answer within 0.7 s"),
        "{}",
        fault.message
    );
    assert!(start.elapsed() < Duration::from_secs(2));
    drop(listener);
}

#[tokio::test]
async fn the_check_of_a_site_logs_in() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    sshd.allow(&["production"]);
    let lines = site.load(&sshd.table("")).check(Some("host1001")).await;
    for line in &lines {
        assert!(line.ok, "{line:?}");
    }
    assert!(
        lines.iter().any(|line| line.message.contains(BOOT_ID)),
        "{lines:?}"
    );
    let mut key = String::new();
    std::fs::File::open(site.path("production"))
        .unwrap()
        .read_to_string(&mut key)
        .unwrap();
    assert!(!format!("{lines:?}").contains(key.lines().nth(1).unwrap()));
}
