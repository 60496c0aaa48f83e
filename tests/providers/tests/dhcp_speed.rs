//! How long a publish over SSH takes, with a real sshd and a real `dhcpd -t`, with a lease and without, beside the time of the
//! include tool alone and of a small request.
//! Ignored, as it measures: `cargo xtask test providers` does not run it; `--ignored --nocapture` does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_capability::dhcp::Published;
use wreimage_capability::lease::{HeldClaim, Right};
use wreimage_capability::{Call, Polled, Providers};
use wreimage_provider_tests::call::{Notes, with};
use wreimage_provider_tests::dhcp::{behind_ssh, entry, published};
use wreimage_provider_tests::install_server::InstallServer;
use wreimage_provider_tests::lease::{held, request};
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::Sshd;
use wreimage_site::Site;

const TIMES: usize = 20;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

async fn timed<T>(times: &mut Vec<Duration>, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let done = work.await;
    times.push(start.elapsed());
    done
}

async fn call<T: serde::de::DeserializeOwned>(
    providers: &Providers,
    function: &str,
    arguments: serde_json::Value,
    claim: Option<&HeldClaim>,
) -> T {
    let mut call = Call::new("r1", 1, Arc::new(Notes::default()));
    call.claim = claim.cloned();
    match with(&call, providers, function, arguments).await.unwrap() {
        Polled::Ready(answer) => answer,
        Polled::Pending { why, .. } => panic!("{why}"),
    }
}

/// A claim that is held, on a server that has settled.
async fn claim(site: &Site) -> HeldClaim {
    let ttl = Some(Duration::from_secs(1));
    site.create_lease_folder_for(ttl).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let first = request("host1001", "r1", "t1", None, Right::Begin);
    site.lease().unwrap().acquire(&first).await.unwrap();
    held(&first)
}

#[tokio::test]
#[ignore = "measures"]
async fn a_publish_over_ssh() {
    for leased in [false, true] {
        let test = TestSite::new();
        let server = InstallServer::new(&test);
        let mut sshd = Sshd::new(&test, false);
        sshd.up();
        let table = behind_ssh(&server.table(), &sshd);
        let (site, claim) = match leased {
            false => (test.load(&table), None),
            true => {
                let site = test.load_with_lease(&table);
                let claim = claim(&site).await;
                (site, Some(claim))
            }
        };
        let providers = site.open("host1001").unwrap();
        let claim = claim.as_ref();
        let [
            mut publishes,
            mut withdrawals,
            mut small,
            mut verified,
            mut tool,
        ] = [const { Vec::new() }; 5];
        let mut executions = 0;
        for _ in 0..TIMES {
            let before = sshd.sessions();
            let arguments = entry("CircuitId", "PxelinuxHttp");
            let publish = call::<Published>(&providers, "dhcp.publish", arguments, claim);
            timed(&mut publishes, publish).await;
            executions += sshd.sessions() - before;
            let withdraw = call::<bool>(&providers, "dhcp.withdraw", serde_json::json!({}), claim);
            assert!(timed(&mut withdrawals, withdraw).await);
            timed(&mut small, published(&providers)).await;
            if let Some(claim) = claim {
                let lease = site.lease().unwrap();
                timed(&mut verified, lease.verify(claim)).await.unwrap();
            }
            let include = server.include();
            let start = Instant::now();
            let ended = Command::new(&include[0]).args(&include[1..]).output();
            assert!(ended.unwrap().status.success());
            tool.push(start.elapsed());
        }
        assert_eq!(executions, TIMES, "a publish is one execution");
        println!(
            "lease: {leased}. publish {:?}, withdrawal {:?}; the include tool alone {:?}, a small request {:?}",
            median(publishes),
            median(withdrawals),
            median(tool),
            median(small),
        );
        if leased {
            println!("a verification {:?}", median(verified));
        }
    }
}
