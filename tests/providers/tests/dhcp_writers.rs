//! Several writers of one DHCP automation: a real `dhcpd` as a service of a machine that a real systemd has booted, and the
//! lock on the install server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_capability::dhcp::Published;
use wreimage_capability::{Call, FaultKind, Providers};
use wreimage_provider_tests::call::{Notes, with};
use wreimage_provider_tests::dhcp::{behind_ssh, entry, publish, withdraw};
use wreimage_provider_tests::install_server::InstallServer;
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::{BOOT_ID, Sshd};
use wreimage_provider_tests::systemd::Systemd;
use wreimage_provider_tests::tools::script;
use wreimage_provider_tests::wire::Wire;

const UNIT: &str = "isc-dhcp-server.service";

/// Publishes and withdraws an entry many times.
async fn come_and_go(providers: &Providers, times: u32) -> Vec<String> {
    let mut faults = Vec::new();
    for _ in 0..times {
        match publish(providers).await {
            Ok(made) => match withdraw(providers, Some(&made)).await {
                Ok(true) => {}
                Ok(false) => faults.push("it was gone".to_owned()),
                Err(fault) => faults.push(format!("withdraw: {}", fault.message)),
            },
            Err(fault) => faults.push(format!("publish: {}", fault.message)),
        }
    }
    faults
}

/// Two hosts of one site at the same time.
async fn two_hosts(
    site: &TestSite,
    table: &str,
    times: u32,
    server: &InstallServer,
    machine: &Systemd,
) {
    let site = site.load(table);
    let (first, second) = (
        site.open("host1001").unwrap(),
        site.open("host1002").unwrap(),
    );
    let before = server.stops().len();
    let start = Instant::now();
    let (first, second) = tokio::join!(
        tokio::spawn(async move { come_and_go(&first, times).await }),
        tokio::spawn(async move { come_and_go(&second, times).await }),
    );
    let faults = [first.unwrap(), second.unwrap()].concat();
    let changes = 4 * times;
    println!("{changes} changes in {:?}", start.elapsed());
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
    let stops = server.stops().split_off(before);
    assert_eq!(
        stops,
        vec!["success"; changes as usize],
        "it was down only to be restarted"
    );
    assert_eq!(machine.says(&["systemctl", "is-active", UNIT]), "active");
    assert!(!server.proxy().contains("host100"), "{}", server.proxy());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_come_and_go_never_break_the_dhcp_server() {
    let site = TestSite::new();
    let (server, unit) = InstallServer::with_daemon(&site);
    let sshd = Sshd::new(&site, false);
    let machine = Systemd::boot(
        &site,
        BOOT_ID,
        &[(UNIT, unit.as_str()), ("ssh.service", &sshd.unit())],
    );
    sshd.wait();
    let command = |argv: &[&str]| -> Vec<String> {
        let words = argv.iter().map(|word| (*word).to_owned());
        machine.inside().into_iter().chain(words).collect()
    };
    let include = server.include();
    let include: Vec<&str> = include.iter().map(String::as_str).collect();
    let started = "--property=ExecMainStartTimestampMonotonic";
    let keys = format!(
        "include = {:?}\nrunning = {:?}\nstarted = {:?}\nexpiry = \"none\"\n",
        command(&include),
        command(&["systemctl", "is-active", "--quiet", UNIT]),
        command(&["systemctl", "show", "--value", started, UNIT])
    );
    two_hosts(&site, &server.table_with(&keys), 12, &server, &machine).await;
    // By SSH, with the commands that are the defaults.
    let table = behind_ssh(&server.table_with(""), &sshd);
    two_hosts(&site, &table, 5, &server, &machine).await;
}

#[tokio::test]
async fn a_lock_that_stays_is_a_fault_that_names_its_holder() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let providers = site.open(&server.table());
    let made = publish(&providers).await.unwrap();
    let state = server.state();
    let mut other = Command::new("sh")
        .args([
            "-c",
            "exec 9>>\"$1/lock\"; flock 9; echo 'x run r7 for host9 on far.example, since 2026-01-02T03:04:05Z' > \
             \"$1/lock\"; echo; exec sleep 100",
            "sh",
        ])
        .arg(&state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read(other.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    let notes = Arc::new(Notes::default());
    let call = Call::new("run", 1, notes.clone());
    let start = Instant::now();
    let fault = with::<Published>(
        &call,
        &providers,
        "dhcp.publish",
        entry("Mac", "PxelinuxHttp"),
    )
    .await
    .unwrap_err();
    let waited = start.elapsed();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(
        (Duration::from_secs(39)..Duration::from_secs(55)).contains(&waited),
        "{waited:?}"
    );
    assert_eq!(
        (&fault.kind, fault.code.as_str(), fault.retryable),
        (&FaultKind::Conflict, "dhcp.locked", true)
    );
    let holder = "run r7 for host9 on far.example, since 2026-01-02T03:04:05Z";
    assert!(fault.message.contains(holder), "{}", fault.message);
    let progress = notes.progress.lock().unwrap().join("\n");
    assert!(progress.contains(holder), "{progress}");
    assert_eq!(server.starts(), 2);
    // What the other left in the file does not matter.
    assert!(withdraw(&providers, Some(&made)).await.unwrap());
}

/// The include tool, which takes its time, goes on when the connection of the one who called it is gone.
#[tokio::test]
async fn a_controller_that_goes_away_leaves_no_lock_and_nobody_meets_its_command() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let mut sshd = Sshd::new(&site, false);
    sshd.up();
    let slow = site.path("slow");
    script(
        &slow,
        &format!(
            "#!/bin/sh\necho begin >> {0}\nsleep 3\n{1}\ns=$?\necho end >> {0}\nexit $s\n",
            site.path("order").display(),
            server.include().join(" ")
        ),
    );
    let f = site.path("install");
    let table = server.table_with(&format!(
        "include = [{slow:?}]\nrunning = [\"true\"]\nstarted = [\"cat\", {:?}]\nexpiry = \"none\"\n",
        f.join("started")
    ));
    let near = site.open(&table);
    let wire = Wire::to(sshd.port);
    sshd.reach_by(wire.port);
    let far = site.open(&behind_ssh(&table, &sshd));
    let gone = async {
        while !site.path("order").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        wire.cut(true);
    };
    let (fault, ()) = tokio::join!(publish(&far), gone);
    let fault = fault.unwrap_err();
    assert!(
        matches!(fault.kind, FaultKind::Unreachable | FaultKind::Rejected),
        "{fault:?}"
    );
    let start = Instant::now();
    assert!(publish(&near).await.is_ok());
    assert!(start.elapsed() < Duration::from_secs(15), "{start:?}");
    let order = std::fs::read_to_string(site.path("order")).unwrap();
    assert_eq!(order, "begin\nend\nbegin\nend\n");

    // A call that is given up halfway, here on the install server itself, lets go at once.
    let given_up = tokio::time::timeout(Duration::from_millis(1500), publish(&near)).await;
    assert!(given_up.is_err());
    let start = Instant::now();
    assert!(publish(&near).await.is_ok());
    assert!(start.elapsed() < Duration::from_secs(10), "{start:?}");
}
