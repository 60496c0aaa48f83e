//! `remote`, and requests to the install server, against SSH servers that misbehave: one clear message, nothing beyond its deadline, bounded memory, and no connection that
//! is left behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::{Duration, Instant};
use wreimage_capability::dhcp::Published;
use wreimage_capability::{Fault, FaultKind};
use wreimage_provider_tests::call::ask;
use wreimage_provider_tests::hostile_ssh::{After, Before, HostileSsh, memory};
use wreimage_provider_tests::remote::{boot_id, run};
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::BOOT_ID;

/// Both time-outs of the sites below.
const TIMEOUTS: &str = "login-timeout = \"1s\"\nread-timeout = \"2s\"\nallow = [[\"**\"]]";
/// A connection that was given up is closed within this time.
const LEFT: Duration = Duration::from_secs(3);
/// More memory than a server can make a client take, in MiB.
const MEMORY: u64 = 64;

async fn asked(server: &HostileSsh, site: &TestSite) -> Result<String, Fault> {
    let providers = site.open(&server.table(site, TIMEOUTS));
    let (before, start) = (memory(), Instant::now());
    let answer = boot_id(&providers, "Production").await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    let grown = memory().saturating_sub(before);
    assert!(grown < MEMORY, "{grown} MiB");
    server.wait_until_left(LEFT);
    answer
}

fn says(fault: &Fault, words: &str) {
    assert!(fault.message.contains(words), "{}", fault.message);
    assert!(
        fault.message.contains("host1001.lab1.test") && fault.message.len() < 500,
        "{}",
        fault.message
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_gets_to_the_login_is_left() {
    for (behaviour, words) in [
        (Before::EndlessLine, "broke the connection during the login"),
        (
            Before::EndlessLines,
            "broke the connection during the login",
        ),
        (Before::Version, "did not end within 1 s"),
        (Before::Noise, "broke the connection during the login"),
    ] {
        let site = TestSite::new();
        HostileSsh::prepare(&site, "host-a");
        let server = HostileSsh::before(behaviour);
        let fault = asked(&server, &site).await.unwrap_err();
        says(&fault, words);
        assert!(fault.retryable, "{behaviour:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn output_without_an_end_ends_with_the_deadline() {
    for behaviour in [After::EndlessOutput, After::EndlessErrors] {
        let site = TestSite::new();
        HostileSsh::prepare(&site, "host-a");
        let server = HostileSsh::after(&site, behaviour, &["host-a"]);
        let fault = asked(&server, &site).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Timeout, "{behaviour:?}");
        says(&fault, "within 2 s");
    }
}

/// A process that outlives its command holds the channel open; the command has ended all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_closes_has_answered() {
    let site = TestSite::new();
    HostileSsh::prepare(&site, "host-a");
    let server = HostileSsh::after(&site, After::NeverCloses, &["host-a"]);
    assert_eq!(asked(&server, &site).await.unwrap(), BOOT_ID);
    let providers = site.open(&server.table(&site, TIMEOUTS));
    let start = Instant::now();
    let result = run(&providers, &["true"]).await.unwrap();
    assert!(result.stdout_tail.contains(BOOT_ID), "{result:?}");
    // The command itself has 20 s.
    assert!(start.elapsed() < Duration::from_secs(8));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_key_that_changes_in_mid_run_is_refused() {
    let site = TestSite::new();
    HostileSsh::prepare(&site, "host-a");
    let server = HostileSsh::after(&site, After::Answers, &["host-a", "host-b"]);
    let providers = site.open(&server.table(&site, TIMEOUTS));
    assert_eq!(boot_id(&providers, "Production").await.unwrap(), BOOT_ID);
    let fault = boot_id(&providers, "Production").await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Denied, "remote.host-key")
    );
    says(&fault, "find out before you correct the file");
    server.wait_until_left(LEFT);
}

/// The `[dhcp]` table of a site whose install server is this one.
fn install_server(site: &TestSite, server: &HostileSsh) -> String {
    let key = std::fs::read_to_string(site.path("host-a.pub")).unwrap();
    let known = format!("[install1001.lab1.test]:{} {key}", server.port);
    site.write("known_hosts", &known);
    format!(
        "[dhcp]\nprovider = \"dhcpincludes\"\nfolder = \"/srv/automation\"\n\
         [dhcp.server]\nhost = \"install1001.lab1.test\"\nport = {}\nuser = \"root\"\nkey = \"production\"\n\
         known-hosts = \"known_hosts\"\n",
        server.port
    )
}

/// An answer beyond its bound is not waited for, and a connection that was given up is not used again.
#[tokio::test(flavor = "multi_thread")]
async fn an_install_server_that_sends_without_end_costs_no_more_than_the_bound_of_an_answer() {
    for (behaviour, words) in [
        (After::EndlessOutput, "it is too long"),
        (After::EndlessErrors, "it is too long"),
        (After::NeverCloses, "it does not reach its end"),
    ] {
        let site = TestSite::new();
        HostileSsh::prepare(&site, "host-a");
        let server = HostileSsh::after(&site, behaviour, &["host-a", "host-b"]);
        let loaded = site.load_with_lease(&install_server(&site, &server));
        let providers = loaded.open("host1001").unwrap();
        let (before, start) = (memory(), Instant::now());
        let answer =
            ask::<Option<Published>>(&providers, "dhcp.get-published", serde_json::json!({}));
        let fault = answer.await.unwrap_err();
        let took = start.elapsed();
        assert!(took < Duration::from_secs(6), "{behaviour:?}: {took:?}");
        let grown = memory().saturating_sub(before);
        assert!(grown < MEMORY, "{grown} MiB");
        assert_eq!(fault.code, "dhcp.answer", "{}", fault.message);
        assert!(fault.message.contains(words), "{}", fault.message);
        assert!(fault.message.len() < 2000, "{}", fault.message.len());
        if behaviour != After::NeverCloses {
            server.wait_until_left(LEFT);
            let lease = loaded.lease().unwrap();
            let why = lease.list().await.unwrap_err().to_string();
            assert!(
                why.contains("find out before you correct the file"),
                "{why}"
            );
        }
        drop((providers, loaded));
        server.wait_until_left(LEFT);
    }
}
