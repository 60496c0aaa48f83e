//! `dhcp` by snippet files and `dhcpincludes`, with a real `dhcpd -t`, on this machine and through a real sshd.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::json;
use std::sync::Arc;
use wreimage_capability::dhcp::Published;
use wreimage_capability::{Call, FaultKind, Providers};
use wreimage_provider_tests::call::{Notes, ask, with};
use wreimage_provider_tests::dhcp::{behind_ssh, entry, publish, published, withdraw};
use wreimage_provider_tests::install_server::InstallServer;
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::Sshd;
use wreimage_provider_tests::tools::script;

/// Publishes every kind of entry and withdraws it again.
async fn walk(server: &InstallServer, providers: &Providers) {
    assert_eq!(published(providers).await, None);
    let mut starts = server.starts();
    for match_by in ["CircuitId", "Mac", "Uuid"] {
        for boot in ["PxelinuxHttp", "PxelinuxTftp", "Ipxe", "UefiHttp"] {
            let made: Published = ask(providers, "dhcp.publish", entry(match_by, boot))
                .await
                .unwrap_or_else(|fault| panic!("{match_by} {boot}: {}", fault.message));
            let text = std::fs::read_to_string(server.snippet("host1001")).unwrap();
            assert_eq!(
                (made.text.as_str(), made.location.as_str()),
                (text.as_str(), "ttyS1-115200/host1001.conf")
            );
            assert!(server.proxy().contains("host1001.conf"));
            let there = published(providers).await.unwrap();
            assert_eq!(
                (&there.digest, &there.matches, &there.text),
                (&made.digest, &made.matches, &made.text)
            );
            assert!(server.is_scheduled("host1001"));
            assert!(withdraw(providers, Some(&made)).await.unwrap());
            assert!(
                !server.snippet("host1001").exists() && !server.proxy().contains("host1001.conf")
            );
            assert!(!server.is_scheduled("host1001"));
            assert_eq!(
                std::fs::read_dir(server.state()).unwrap().count(),
                2,
                "the lock is left, and nothing else"
            );
            assert_eq!(server.starts(), starts + 2);
            starts = server.starts();
            assert!(!withdraw(providers, Some(&made)).await.unwrap());
        }
    }
}

#[tokio::test]
async fn entries_of_every_kind_are_accepted_by_dhcpd() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    walk(&server, &site.open(&server.table())).await;
}

#[tokio::test]
async fn a_long_file_behind_ssh_is_read_from_its_beginning() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let mut sshd = Sshd::new(&site, false);
    sshd.up();
    let text = format!("\nhost host1001 {{ }}\n{}", "# comment\n".repeat(20_000));
    std::fs::write(server.snippet("host1001"), &text).unwrap();
    let providers = site.open(&behind_ssh(&server.table(), &sshd));
    let read = published(&providers).await.unwrap().text;
    assert!(read == text, "{} of {} bytes", read.len(), text.len());
}

#[tokio::test]
async fn the_install_server_may_be_behind_ssh() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let mut sshd = Sshd::new(&site, false);
    sshd.up();
    let table = behind_ssh(&server.table(), &sshd);
    let providers = site.open(&table);
    walk(&server, &providers).await;
    let lines = site.load_with_lease(&table).check(None).await;
    let missing = lines
        .iter()
        .find(|line| line.what.ends_with("lease folder"));
    let missing = missing.unwrap();
    assert!(
        !missing.ok && missing.message.contains("wreimage lock init --site"),
        "{missing:?}"
    );
    let leased = site.load_with_lease(&table);
    leased.create_lease_folder().await.unwrap();
    let lines = leased.check(None).await;
    assert!(lines.iter().all(|line| line.ok), "{lines:?}");

    sshd.know("stranger");
    let fault = publish(&site.open(&table)).await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Denied, "remote.host-key")
    );
    sshd.down();
    let fault = publish(&site.open(&table)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable);
    let lines = site.load(&table).check(None).await;
    assert!(
        lines
            .iter()
            .any(|line| !line.ok && line.what.contains("install1001")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn another_entry_of_the_host_is_replaced_with_a_note() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    std::fs::write(
        server.snippet("host1001"),
        "\nhost host1001 {\n    hardware ethernet 02:00:00:00:00:01;\n}\n",
    )
    .unwrap();
    let providers = site.open(&server.table());
    let notes = Arc::new(Notes::default());
    let call = Call::new("run", 1, notes.clone());
    let arguments = entry("Mac", "PxelinuxHttp");
    let made = with::<Published>(&call, &providers, "dhcp.publish", arguments).await;
    assert!(made.is_ok());
    let progress = notes.progress.lock().unwrap().join("\n");
    assert!(
        progress.contains("was replaced") && progress.contains("02:00:00:00:00:01"),
        "{progress}"
    );
}

/// Withdraws in the name of a run whose process does not know what it has published.
async fn withdraw_as(run: &str, providers: &Providers) -> Result<bool, wreimage_capability::Fault> {
    let call = Call::new(run, 2, Arc::new(Notes::default()));
    match with(&call, providers, "dhcp.withdraw", json!({})).await? {
        wreimage_capability::Polled::Ready(there) => Ok(there),
        wreimage_capability::Polled::Pending { why, .. } => panic!("{why}"),
    }
}

#[tokio::test]
async fn what_a_process_wrote_that_was_killed_is_known_to_the_next_one() {
    for keys in ["", "expiry = \"none\"\n"] {
        let site = TestSite::new();
        let server = InstallServer::new(&site);
        let table = server.table().replace(
            "[dhcp.boot.pxelinux-http]",
            &format!("{keys}[dhcp.boot.pxelinux-http]"),
        );
        let call = Call::new("r1", 1, Arc::new(Notes::default()));
        let arguments = entry("CircuitId", "PxelinuxHttp");
        let _: wreimage_capability::Polled<Published> =
            with(&call, &site.open(&table), "dhcp.publish", arguments)
                .await
                .unwrap();
        let other = withdraw_as("r2", &site.open(&table)).await.unwrap_err();
        assert_eq!(other.code, "dhcp.not-ours");
        assert!(withdraw_as("r1", &site.open(&table)).await.unwrap());
        assert!(!server.snippet("host1001").exists() && !server.proxy().contains("host1001"));
        assert_eq!(std::fs::read_dir(server.state()).unwrap().count(), 2);
    }
}

#[tokio::test]
async fn an_entry_that_the_daemon_still_serves_is_known_to_the_next_process() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let table = server.table();
    let made = publish(&site.open(&table)).await.unwrap();
    // The include tool writes its file without the entry, and the daemon keeps what it has read.
    server.fault("restart-fails");
    let fault = withdraw(&site.open(&table), Some(&made)).await.unwrap_err();
    assert_eq!(fault.code, "dhcp.restart-failed");
    assert!(!server.snippet("host1001").exists() && !server.proxy().contains("host1001"));
    server.mend("restart-fails");
    let starts = server.starts();
    assert!(withdraw(&site.open(&table), Some(&made)).await.unwrap());
    assert_eq!(server.starts(), starts + 1);
    assert!(!withdraw(&site.open(&table), Some(&made)).await.unwrap());
}

#[tokio::test]
async fn only_what_this_run_wrote_is_withdrawn() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let providers = site.open(&server.table());
    let made = publish(&providers).await.unwrap();
    let foreign = "\nhost host1001 {\n    hardware ethernet 02:00:00:00:00:01;\n}\n";
    std::fs::write(server.snippet("host1001"), foreign).unwrap();
    let fault = withdraw(&providers, Some(&made)).await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Conflict, "dhcp.not-ours")
    );
    assert_eq!(
        std::fs::read_to_string(server.snippet("host1001")).unwrap(),
        foreign
    );
    // A run that made nothing takes nothing.
    let fault = withdraw(&site.open(&server.table()), None)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Conflict);
    // Somebody removed the file, and the proxy still lists it: that is taken back too, once.
    std::fs::remove_file(server.snippet("host1001")).unwrap();
    assert!(server.proxy().contains("host1001.conf"));
    let starts = server.starts();
    assert!(withdraw(&providers, Some(&made)).await.unwrap());
    assert!(!server.proxy().contains("host1001.conf"));
    assert_eq!(server.starts(), starts + 1);
    assert!(!withdraw(&providers, Some(&made)).await.unwrap());
    assert_eq!(server.starts(), starts + 1);
}

#[tokio::test]
async fn a_withdrawal_that_failed_halfway_is_finished_by_the_next_one() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let providers = site.open(&server.table());
    let made = publish(&providers).await.unwrap();
    server.fault("restart-fails");
    for _ in 0..2 {
        let fault = withdraw(&providers, Some(&made)).await.unwrap_err();
        assert_eq!(fault.code, "dhcp.restart-failed");
        assert!(!server.snippet("host1001").exists());
    }
    server.mend("restart-fails");
    let starts = server.starts();
    assert!(withdraw(&providers, Some(&made)).await.unwrap());
    assert_eq!(server.starts(), starts + 1);
    assert!(!withdraw(&providers, Some(&made)).await.unwrap());
}

#[tokio::test]
async fn what_a_failed_publication_left_is_withdrawn() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let providers = site.open(&server.table());
    server.fault("restart-fails");
    let fault = publish(&providers).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Rejected);
    assert!(fault.message.contains("failed too"), "{}", fault.message);
    let fault = withdraw(&providers, None).await.unwrap_err();
    assert_eq!(fault.code, "dhcp.restart-failed");
    server.mend("restart-fails");
    assert!(withdraw(&providers, None).await.unwrap());
    assert_eq!(server.starts(), 2);
    assert!(!withdraw(&providers, None).await.unwrap());
}

#[tokio::test]
async fn a_publication_that_could_not_be_proven_writes_nothing() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let table = server
        .table()
        .replace("started = [\"cat\"", "started = [\"false\"");
    let fault = publish(&site.open(&table)).await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Rejected, "dhcp.no-start-mark")
    );
    assert!(!server.snippet("host1001").exists());
    assert_eq!(server.starts(), 1);
}

/// An include tool after which the proxy file cannot be read: the reason is `denied`, and the entry was there.
#[tokio::test]
async fn an_entry_that_cannot_be_taken_out_is_never_a_call_without_effect() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let proxy = site.path("install/automation/proxies/ttyS1-115200.conf");
    script(
        &site.path("include"),
        &format!("#!/bin/sh\nrm -f {0}\nmkdir -p {0}\n", proxy.display()),
    );
    let table = server.table();
    let begin = table.find("include = ").unwrap();
    let end = begin + table[begin..].find('\n').unwrap();
    let table = format!(
        "{}include = [\"{}\"]{}",
        &table[..begin],
        site.path("include").display(),
        &table[end..]
    );
    let fault = publish(&site.open(&table)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Rejected, "{}", fault.message);
    assert!(fault.message.contains("failed too"), "{}", fault.message);
}

#[tokio::test]
async fn a_configuration_that_dhcpd_refuses_leaves_nothing_of_ours() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    // Another run's broken snippet, and nothing that we could do about it.
    std::fs::write(server.snippet("other"), "host other { nonsense }\n").unwrap();
    let fault = publish(&site.open(&server.table())).await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Rejected, "dhcp.refused")
    );
    assert!(
        fault.message.contains("nonsense"),
        "the reason is dhcpd's: {}",
        fault.message
    );
    assert!(fault.message.contains("failed too"), "{}", fault.message);
    assert!(!server.snippet("host1001").exists() && server.snippet("other").exists());
    assert_eq!(server.starts(), 1);
}

#[tokio::test]
async fn a_failed_restart_takes_the_entry_out_and_says_the_first_error() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    server.fault("restart-fails-once");
    let fault = publish(&site.open(&server.table())).await.unwrap_err();
    assert_eq!(fault.code, "dhcp.restart-failed");
    assert!(
        fault.message.contains("Job failed") && fault.message.contains("taken out again"),
        "{}",
        fault.message
    );
    assert!(!server.snippet("host1001").exists() && !server.proxy().contains("host1001"));
    assert_eq!(server.starts(), 2, "it runs with the old configuration");
}

#[tokio::test]
async fn success_without_a_restart_is_no_success() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    server.fault("fault-exception");
    let fault = publish(&site.open(&server.table())).await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Rejected, "dhcp.not-reloaded")
    );
    assert!(
        fault.message.contains("reported success"),
        "{}",
        fault.message
    );
    assert!(!server.snippet("host1001").exists());
    assert_eq!(server.starts(), 1);
}

#[tokio::test]
async fn strings_of_the_guest_cannot_break_out() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let providers = site.open(&server.table());
    for wrong in ["../x", "a\"; }", "$(id)", "a b"] {
        let mut arguments = entry("Mac", "PxelinuxHttp");
        arguments["entry"]["media"] = json!(wrong);
        let fault = ask::<Published>(&providers, "dhcp.publish", arguments)
            .await
            .unwrap_err();
        assert_eq!(fault.code, "dhcp.invalid");
    }
    assert_eq!(server.starts(), 1);
}
