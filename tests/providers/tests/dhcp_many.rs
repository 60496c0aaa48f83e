//! Many hosts of one process: few connections, few executions, and nothing that is quick waits behind a publication.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_capability::dhcp::Published;
use wreimage_capability::lease::{Acquire, HeldClaim, LeaseError, Right, Token};
use wreimage_capability::{Call, Fault, FaultKind, Polled};
use wreimage_provider_tests::call::{Notes, with};
use wreimage_provider_tests::dhcp::{behind_ssh, entry};
use wreimage_provider_tests::install_server::InstallServer;
use wreimage_provider_tests::lease::{held, request};
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::{BOOT_ID, Sshd};
use wreimage_provider_tests::tools::script;
use wreimage_site::Site;

const MANY: usize = 50;

/// An sshd with the default limits, and an include tool that takes this long.
struct Rig {
    site: TestSite,
    sshd: Sshd,
    server: InstallServer,
}

impl Rig {
    fn new() -> Self {
        let site = TestSite::new();
        let server = InstallServer::new(&site);
        let mut sshd = Sshd::new(&site, false);
        sshd.with_default_startups();
        sshd.up();
        let rig = Rig { site, sshd, server };
        rig.uptime(100_000);
        rig
    }

    /// Time passes on the install server.
    fn uptime(&self, seconds: u64) {
        let folder = self.site.path("proc/sys/kernel/random");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("boot_id"), format!("{BOOT_ID}\n")).unwrap();
        std::fs::write(
            self.site.path("proc/uptime"),
            format!("{seconds}.00 1.00\n"),
        )
        .unwrap();
    }

    fn load(&self, include: &str) -> Site {
        let table = self.server.table();
        let begin = table.find("include = ").unwrap();
        let end = begin + table[begin..].find('\n').unwrap();
        let table = match include {
            "" => table,
            _ => format!(
                "{}include = [{include:?}]{}",
                &table[..begin],
                &table[end..]
            ),
        };
        let table = behind_ssh(&table, &self.sshd);
        let site = self.site.load_with_lease(&table);
        site.with_proc(&self.site.path("proc"))
    }

    /// One with a lease folder that is settled.
    async fn with_lease(&self) -> Site {
        let site = self.load("");
        let ttl = Some(Duration::from_secs(10));
        site.create_lease_folder_for(ttl).await.unwrap();
        self.uptime(200_000);
        site
    }
}

/// Publishes the entry of a run with this claim.
async fn try_publish(site: &Site, claim: Option<HeldClaim>) -> Result<Published, Fault> {
    let run = claim.as_ref().map_or("none", |claim| &claim.run).to_owned();
    let mut call = Call::new(run, 1, Arc::new(Notes::default()));
    call.claim = claim;
    let providers = site.open("host1001").unwrap();
    let arguments = entry("CircuitId", "PxelinuxHttp");
    match with(&call, &providers, "dhcp.publish", arguments).await? {
        Polled::Ready(made) => Ok(made),
        Polled::Pending { why, .. } => panic!("{why}"),
    }
}

/// The same; the code of its fault, which is a conflict.
async fn publish_with(site: &Site, claim: Option<HeldClaim>) -> Result<Published, String> {
    try_publish(site, claim).await.map_err(|fault| {
        let kind = match fault.code.as_str() {
            "dhcp.no-claim" => FaultKind::Denied,
            _ => FaultKind::Conflict,
        };
        assert_eq!(fault.kind, kind, "{fault:?}");
        fault.code
    })
}

/// Removes the entry of a run, or with `dhcp.clear` whatever entry there is.
async fn remove(
    site: &Site,
    function: &str,
    run: &str,
    claim: Option<HeldClaim>,
) -> Result<bool, Fault> {
    let mut call = Call::new(run, 2, Arc::new(Notes::default()));
    call.claim = claim;
    let providers = site.open("host1001").unwrap();
    match with(&call, &providers, function, serde_json::json!({})).await? {
        Polled::Ready(was_there) => Ok(was_there),
        Polled::Pending { why, .. } => panic!("{why}"),
    }
}

/// A publication, with its lock, its check of the claim and its timer, is one execution; and so is a verification, which is
/// all that a claim adds to a `once` call.
#[tokio::test]
async fn a_publication_and_a_verification_are_one_execution_each() {
    let rig = Rig::new();
    let site = rig.with_lease().await;
    let lease = site.lease().unwrap();
    let first = request("host1001", "r1", "t1", None, Right::Begin);
    lease.acquire(&first).await.unwrap();
    let before = (rig.sshd.connections(), rig.sshd.sessions());
    publish_with(&site, Some(held(&first))).await.unwrap();
    assert_eq!(
        (rig.sshd.connections(), rig.sshd.sessions()),
        (before.0 + 1, before.1 + 1)
    );
    publish_with(&site, Some(held(&first))).await.unwrap();
    assert_eq!(
        (rig.sshd.connections(), rig.sshd.sessions()),
        (before.0 + 1, before.1 + 2)
    );
    lease.verify(&held(&first)).await.unwrap();
    assert_eq!(
        (rig.sshd.connections(), rig.sshd.sessions()),
        (before.0 + 1, before.1 + 3)
    );
}

/// `/dev/full` stands in for the disk.
#[tokio::test]
async fn a_disk_that_is_full_changes_no_entry_and_no_claim() {
    let rig = Rig::new();
    let site = rig.with_lease().await;
    let lease = site.lease().unwrap();
    let first = request("host1001", "r1", "t1", None, Right::Begin);
    lease.acquire(&first).await.unwrap();
    publish_with(&site, Some(held(&first))).await.unwrap();
    rig.uptime(200_011);
    let over = Right::TakeOver {
        run: "r1".to_owned(),
    };
    let second = request("host1001", "r2", "t2", Some("t1"), over);
    lease.acquire(&second).await.unwrap();
    let state = rig.server.state();
    let claim = state
        .parent()
        .unwrap()
        .join(".wreimage-lease/claims/host1001.lab1.test");
    let there = || {
        let files = std::fs::read_dir(&state).unwrap().flatten();
        let record = files
            .map(|file| file.path())
            .find(|path| path.extension().is_some_and(|it| it == "entry"));
        [
            rig.server.snippet("host1001"),
            record.unwrap(),
            claim.clone(),
        ]
        .map(|path| std::fs::read_to_string(path).unwrap())
    };
    let (before, starts) = (there(), rig.server.starts());
    let (noted, temporary) = (state.join("unsettled"), state.join("host1001.snippet"));
    let new_claim = claim.with_file_name("host1001.lab1.test~");
    for (full, code) in [
        (&temporary, "dhcp.file"),
        (&noted, "dhcp.file"),
        (&new_claim, "dhcp.lease-folder"),
    ] {
        // An earlier publication has left a note there.
        let _ = std::fs::remove_file(full);
        std::os::unix::fs::symlink("/dev/full", full).unwrap();
        let fault = try_publish(&site, Some(held(&second))).await.unwrap_err();
        assert_eq!(fault.code, code, "{}", fault.message);
        assert!(
            fault.message.contains("cannot be written"),
            "{}",
            fault.message
        );
        if full == &noted {
            let fault = remove(&site, "dhcp.clear", "r2", Some(held(&second))).await;
            let fault = fault.unwrap_err();
            assert_eq!(fault.code, "dhcp.file", "{}", fault.message);
            assert!(
                fault.message.contains("cannot be removed"),
                "{}",
                fault.message
            );
        }
        let _ = std::fs::remove_file(full);
        let [entry, record, claim] = there();
        assert_eq!([&entry, &record], [&before[0], &before[1]]);
        assert!(claim.contains("token=t2\n"), "{claim}");
        assert_eq!(rig.server.starts(), starts);
    }
    publish_with(&site, Some(held(&second))).await.unwrap();
    let removed = remove(&site, "dhcp.withdraw", "r2", Some(held(&second))).await;
    assert!(removed.unwrap());
}

/// The publication checks the claim on the server itself; a withdrawal is refused while a copy of the run holds the claim.
#[tokio::test]
async fn a_claim_that_is_lost_publishes_nothing_and_a_copy_withdraws_nothing() {
    let rig = Rig::new();
    let site = rig.with_lease().await;
    let lease = site.lease().unwrap();
    let first = request("host1001", "r1", "t1", None, Right::Begin);
    lease.acquire(&first).await.unwrap();
    publish_with(&site, Some(held(&first))).await.unwrap();
    rig.uptime(200_011);
    let over = Right::TakeOver {
        run: "r1".to_owned(),
    };
    let second = request("host1001", "r2", "t2", Some("t1"), over);
    lease.acquire(&second).await.unwrap();
    let starts = rig.server.starts();
    let code = publish_with(&site, Some(held(&first))).await.unwrap_err();
    assert_eq!(
        (code.as_str(), rig.server.starts()),
        ("dhcp.claim-lost", starts)
    );
    // The run that has taken over replaces the entry, though it has not expired.
    publish_with(&site, Some(held(&second))).await.unwrap();
    let withdraw_as = async |claim: Option<HeldClaim>, run: &str| {
        remove(&site, "dhcp.withdraw", run, claim).await
    };
    let fault = withdraw_as(Some(held(&first)), "r1").await.unwrap_err();
    assert_eq!(fault.code, "dhcp.not-ours");
    let mut copy = held(&second);
    copy.token = Token("t0".to_owned());
    for claim in [Some(copy), None] {
        let fault = withdraw_as(claim, "r2").await.unwrap_err();
        assert_eq!(fault.code, "dhcp.claimed", "{}", fault.message);
    }
    assert!(withdraw_as(Some(held(&second)), "r2").await.unwrap());
    lease.release(&held(&second)).await.unwrap();
}

/// What could be another run's entry is neither replaced nor removed without a claim, which the server checks.
#[tokio::test]
async fn without_a_claim_of_its_own_a_run_replaces_and_removes_no_entry() {
    let rig = Rig::new();
    let site = rig.with_lease().await;
    let lease = site.lease().unwrap();
    let first = request("host1001", "r1", "t1", None, Right::Begin);
    lease.acquire(&first).await.unwrap();
    publish_with(&site, Some(held(&first))).await.unwrap();
    let starts = rig.server.starts();
    assert_eq!(
        publish_with(&site, None).await.unwrap_err(),
        "dhcp.no-claim"
    );
    let fault = remove(&site, "dhcp.clear", "r2", None).await.unwrap_err();
    assert_eq!(fault.code, "dhcp.no-claim", "{}", fault.message);
    let mut foreign = held(&first);
    foreign.run = "r2".to_owned();
    foreign.token = Token("t2".to_owned());
    let fault = remove(&site, "dhcp.clear", "r2", Some(foreign)).await;
    assert_eq!(fault.unwrap_err().code, "dhcp.claim-lost");
    assert_eq!(rig.server.starts(), starts);
    assert!(rig.server.snippet("host1001").exists());
    // The run that has taken over removes it, though it has not expired.
    rig.uptime(200_011);
    let over = Right::TakeOver {
        run: "r1".to_owned(),
    };
    let second = request("host1001", "r2", "t2", Some("t1"), over);
    lease.acquire(&second).await.unwrap();
    let clear = async || remove(&site, "dhcp.clear", "r2", Some(held(&second))).await;
    assert!(clear().await.unwrap());
    assert!(!rig.server.snippet("host1001").exists());
    assert_eq!(rig.server.starts(), starts + 1);
    assert!(!clear().await.unwrap());
    let keeper = site.keeper("host1001").unwrap().unwrap();
    let fault = keeper.renew("r1").await.unwrap_err();
    assert!(fault.message.contains("removed by run r2"), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_hosts_are_renewed_with_the_default_limits_of_sshd_and_never_wait_for_a_publication()
{
    let rig = Rig::new();
    rig.with_lease().await;
    let slow = rig.site.path("slow");
    script(
        &slow,
        &format!(
            "#!/bin/sh\ntouch {0}/begun\nsleep 8\nexec {1}\n",
            rig.site.folder().display(),
            rig.server.include().join(" ")
        ),
    );
    let site = rig.load(&slow.display().to_string());
    let lease = site.lease().unwrap();
    let requests: Vec<Acquire> = (0..MANY)
        .map(|it| {
            let (run, token) = (format!("r{it}"), format!("t{it}"));
            request(&format!("host2{it:03}"), &run, &token, None, Right::Begin)
        })
        .collect();
    let before = rig.sshd.connections();
    let acquired = requests.iter().map(|request| lease.acquire(request));
    for acquired in futures::future::join_all(acquired).await {
        acquired.unwrap();
    }
    let claims: Vec<HeldClaim> = requests.iter().map(held).collect();

    let busy = request("host1001", "busy", "t", None, Right::Begin);
    lease.acquire(&busy).await.unwrap();
    let (publisher, claim) = (site.clone(), held(&busy));
    let publication = tokio::spawn({
        let claim = claim.clone();
        async move { publish_with(&publisher, Some(claim)).await }
    });
    while !rig.site.path("begun").exists() {
        assert!(!publication.is_finished(), "{:?}", publication.await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sessions = rig.sshd.sessions();
    let start = Instant::now();
    let renewed = lease.renew(&claims).await.unwrap();
    assert_eq!(renewed.len(), MANY);
    assert!(renewed.iter().all(Result::is_ok), "{renewed:?}");
    assert_eq!(rig.sshd.sessions(), sessions + 1);
    println!("{MANY} claims renewed in {:?}", start.elapsed());

    let start = Instant::now();
    let keepers: Vec<_> = (0..MANY)
        .map(|it| site.keeper(&format!("host2{it:03}")).unwrap().unwrap())
        .collect();
    let entries = keepers.iter().map(|keeper| keeper.renew("r0"));
    for renewed in futures::future::join_all(entries).await {
        assert_eq!(renewed.unwrap(), None);
    }
    println!("{MANY} entries looked for in {:?}", start.elapsed());
    assert!(rig.sshd.sessions() <= sessions + 4, "they go together");
    assert!(!publication.is_finished(), "nothing waited for it");
    publication.await.unwrap().unwrap();
    assert!(
        rig.sshd.connections() <= before + 2,
        "{} connections",
        rig.sshd.connections() - before
    );
    let withdrawn = remove(&site, "dhcp.withdraw", "busy", Some(claim)).await;
    assert!(withdrawn.unwrap());
}

/// A claim of a run that renews, on a server that is back within the time to live.
#[tokio::test]
async fn a_server_that_restarts_in_mid_run_stops_no_healthy_run() {
    let rig = Rig::new();
    let site = rig.with_lease().await;
    let lease = site.lease().unwrap();
    let first = request("host1001", "r1", "t1", None, Right::Begin);
    lease.acquire(&first).await.unwrap();
    let folder = rig.site.path("proc/sys/kernel/random/boot_id");
    std::fs::write(folder, "another-boot\n").unwrap();
    std::fs::write(rig.site.path("proc/uptime"), "3.00 1.00\n").unwrap();
    lease.verify(&held(&first)).await.unwrap();
    let second = request("host1002", "r2", "t2", None, Right::Begin);
    let refused = lease.acquire(&second).await;
    assert!(
        matches!(&refused, Err(LeaseError::Refused { why, .. }) if why.contains("for another 7 s")),
        "{refused:?}"
    );
    publish_with(&site, Some(held(&first))).await.unwrap();
}
