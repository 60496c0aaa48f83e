//! What the install server can install, by the site file or by a command, and the removal of whatever entry a host has.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wreimage_capability::dhcp::{Published, Release};
use wreimage_capability::{Fault, FaultKind};
use wreimage_provider_tests::call::ask;
use wreimage_provider_tests::dhcp::{behind_ssh, entry, published};
use wreimage_provider_tests::install_server::InstallServer;
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::Sshd;
use wreimage_provider_tests::tools::script;

/// The `[dhcp]` table with these keys in `[dhcp.boot]`.
fn table(server: &InstallServer, boot: &str) -> String {
    format!("{}[dhcp.boot]\n{boot}\n", server.table())
}

/// The releases of a site with these keys in `[dhcp.boot]`.
async fn listed(
    site: &TestSite,
    server: &InstallServer,
    boot: &str,
) -> Result<Vec<Release>, Fault> {
    let providers = site.open(&table(server, boot));
    ask(&providers, "dhcp.get-releases", json!({})).await
}

fn words(releases: &[Release]) -> Vec<String> {
    let words = releases.iter().map(|release| {
        let media = release.media.join("+");
        format!("{}:{media}", release.distribution)
    });
    words.collect()
}

#[tokio::test]
async fn the_site_file_names_the_releases_or_nothing_does() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let named = "distributions = [\"bullseye\", \"bookworm\"]\nmedia = [\"installer\"]";
    let releases = listed(&site, &server, named).await.unwrap();
    assert_eq!(
        words(&releases),
        ["bullseye:installer", "bookworm:installer"]
    );
    let fault = listed(&site, &server, "").await.unwrap_err();
    assert_eq!(
        (fault.kind, fault.code.as_str()),
        (FaultKind::Unsupported, "dhcp.releases-unknown")
    );
}

#[tokio::test]
async fn a_command_lists_the_releases_and_what_it_prints_wrong_is_quoted() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let list = |name: &str, text: &str| {
        let path = site.path(name);
        script(&path, text);
        format!("list = [{path:?}]\nlist-on = \"controller\"")
    };
    let good = list("good", "echo bullseye installer rescue; echo; echo trixie");
    let releases = listed(&site, &server, &good).await.unwrap();
    assert_eq!(words(&releases), ["bullseye:installer+rescue", "trixie:"]);
    for (name, text, why) in [
        (
            "fails",
            "echo no mirror >&2; exit 3",
            "exit status 3: no mirror",
        ),
        ("silent", "true", "printed no release"),
        ("shell", "echo 'a;b'", "printed \"a;b\""),
        ("endless", "yes bullseye", ""),
        (
            "long",
            "yes bullseye | head -c 100000",
            "printed more than 64 KiB",
        ),
    ] {
        let begun = Instant::now();
        let fault = listed(&site, &server, &list(name, text)).await.unwrap_err();
        assert!(fault.message.contains(why), "{name}: {}", fault.message);
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}");
    }
    let missing = listed(
        &site,
        &server,
        "list = [\"/no/such/program\"]\nlist-on = \"controller\"",
    );
    assert!(missing.await.is_err());
}

/// A command that hangs is killed at its deadline, and is a fault like any other.
#[tokio::test]
async fn a_command_that_hangs_ends_at_its_deadline() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let path = site.path("hangs");
    script(&path, "sleep 1000");
    let begun = Instant::now();
    let boot = format!("list = [{path:?}]\nlist-on = \"controller\"");
    let fault = listed(&site, &server, &boot).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_command_behind_ssh_lists_the_releases_of_the_install_server() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let mut sshd = Sshd::new(&site, false);
    sshd.up();
    let path = site.path("list");
    script(&path, "echo bookworm installer");
    let providers = site.open(&format!(
        "{}[dhcp.boot]\nlist = [{path:?}]\n",
        behind_ssh(&server.table(), &sshd)
    ));
    let releases: Vec<Release> = ask(&providers, "dhcp.get-releases", json!({}))
        .await
        .unwrap();
    assert_eq!(words(&releases), ["bookworm:installer"]);
}

/// A rerun that installs nothing removes what an earlier run could not withdraw, and no other host's entry.
#[tokio::test]
async fn clear_removes_whatever_entry_the_host_has() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let providers = site.open(&server.table());
    let cleared = async || {
        ask::<bool>(&providers, "dhcp.clear", json!({}))
            .await
            .unwrap()
    };
    assert!(!cleared().await);
    let made: Published = ask(&providers, "dhcp.publish", entry("Mac", "PxelinuxHttp"))
        .await
        .unwrap();
    let other = server.snippet("host2002");
    std::fs::write(&other, made.text.replace("host1001", "host2002")).unwrap();
    // It was edited by hand since, so that a withdrawal would not take it for an entry of its run.
    std::fs::write(
        server.snippet("host1001"),
        format!("{}# edited\n", made.text),
    )
    .unwrap();
    assert!(cleared().await);
    assert_eq!(published(&providers).await, None);
    assert!(!server.proxy().contains("host1001.conf"));
    assert!(other.exists());
    assert!(!cleared().await);
    let gone: Value = ask(&providers, "dhcp.get-published", json!({}))
        .await
        .unwrap();
    assert_eq!(gone, Value::Null);
}
