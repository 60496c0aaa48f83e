//! How long a publish over SSH takes, with a real sshd and a real `dhcpd -t`, beside the time of the include tool alone.
//! Ignored, as it measures: `cargo xtask test providers` does not run it; `--ignored --nocapture` does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::process::Command;
use std::time::{Duration, Instant};
use wreimage_provider_tests::dhcp::{behind_ssh, publish, withdraw};
use wreimage_provider_tests::install_server::InstallServer;
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::Sshd;

const TIMES: usize = 20;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test]
#[ignore = "measures"]
async fn a_publish_over_ssh() {
    let site = TestSite::new();
    let server = InstallServer::new(&site);
    let mut sshd = Sshd::new(&site, false);
    sshd.up();
    let table = behind_ssh(&server.table(), &sshd);
    let providers = site.open(&table);
    let (mut publishes, mut withdrawals, mut tool) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let start = Instant::now();
        let made = publish(&providers).await.unwrap();
        publishes.push(start.elapsed());
        let start = Instant::now();
        assert!(withdraw(&providers, Some(&made)).await.unwrap());
        withdrawals.push(start.elapsed());
        let include = server.include();
        let start = Instant::now();
        let ended = Command::new(&include[0]).args(&include[1..]).output();
        assert!(ended.unwrap().status.success());
        tool.push(start.elapsed());
    }
    println!(
        "publish {:?}, withdrawal {:?}, of which the include tool {:?}",
        median(publishes),
        median(withdrawals),
        median(tool)
    );
}
