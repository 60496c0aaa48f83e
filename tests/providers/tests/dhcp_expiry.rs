//! A published DHCP entry goes by itself when its run does not renew it: by a timer of a real systemd on the install server,
//! with a real `dhcpd` as its service. Time passes in a file that its scripts read as the uptime.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_capability::dhcp::Published;
use wreimage_capability::{Call, Fault, FaultKind, Polled, Providers};
use wreimage_provider_tests::call::{Notes, with};
use wreimage_provider_tests::dhcp::{behind_ssh, entry, published};
use wreimage_provider_tests::install_server::InstallServer;
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::{BOOT_ID, OTHER_BOOT_ID, Sshd};
use wreimage_provider_tests::systemd::Systemd;
use wreimage_site::Site;

const UNIT: &str = "isc-dhcp-server.service";
const TIMER: &str = "wreimage-dhcp-host1001.timer";

/// The default command, but each second instead of each minute.
const EACH_SECOND: &str = "schedule = [\"systemd-run\", \"--quiet\", \"--collect\", \"--unit=wreimage-dhcp-{host}\", \
                           \"--on-active=1\", \"--on-unit-inactive=1\", \"--timer-property=AccuracySec=100ms\", \"sh\", \
                           \"{script}\"]\n";

struct Rig {
    site: TestSite,
    server: InstallServer,
    sshd: Sshd,
    machine: Systemd,
    /// Of the install server, in seconds, as its scripts read it.
    uptime: Cell<u64>,
}

impl Rig {
    fn new() -> Self {
        let site = TestSite::new();
        let (server, unit) = InstallServer::with_daemon(&site);
        let sshd = Sshd::new(&site, false);
        let units = [(UNIT, unit.as_str()), ("ssh.service", &sshd.unit())];
        let machine = Systemd::boot(&site, BOOT_ID, &units);
        sshd.wait();
        let rig = Rig {
            site,
            server,
            sshd,
            machine,
            uptime: Cell::new(10_000),
        };
        rig.write_clock(BOOT_ID);
        rig
    }

    fn table(&self, keys: &str) -> String {
        behind_ssh(&self.server.table_with(keys), &self.sshd)
    }

    fn open(&self, keys: &str) -> Providers {
        self.load(keys).open("host1001").unwrap()
    }

    fn has_timer(&self) -> bool {
        self.machine.says(&["systemctl", "is-active", TIMER]) == "active"
    }

    /// The file of the record of the entry.
    fn record(&self) -> PathBuf {
        let files = std::fs::read_dir(self.server.state()).unwrap().flatten();
        let names = files.map(|file| file.path());
        let mut records = names.filter(|it| it.extension().is_some_and(|it| it == "entry"));
        records.next().expect("the entry has a record")
    }

    /// The uptime of the last renewal, in seconds.
    fn renewed(&self) -> u64 {
        let text = std::fs::read_to_string(self.record()).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("uptime-ms="));
        line.unwrap().parse::<u64>().unwrap() / 1000
    }

    /// Lets the time go by that the entry has.
    fn expire(&self) {
        self.uptime.set(self.uptime.get() + 7201);
        self.write_clock(BOOT_ID);
    }

    fn write_clock(&self, boot_id: &str) {
        let folder = self.site.path("proc/sys/kernel/random");
        std::fs::create_dir_all(&folder).unwrap();
        let uptime = format!("{}.00 1.00\n", self.uptime.get());
        std::fs::write(self.site.path("proc/uptime"), uptime).unwrap();
        std::fs::write(folder.join("boot_id"), format!("{boot_id}\n")).unwrap();
    }

    fn load(&self, keys: &str) -> Site {
        let site = self.site.load(&self.table(keys));
        site.with_proc(&self.site.path("proc"))
    }

    fn is_there(&self) -> bool {
        self.server.snippet("host1001").exists() || self.server.proxy().contains("host1001")
    }
}

async fn publish_as(run: &str, providers: &Providers) -> Result<Published, Fault> {
    let call = Call::new(run, 1, Arc::new(Notes::default()));
    let arguments = entry("CircuitId", "PxelinuxHttp");
    match with(&call, providers, "dhcp.publish", arguments).await? {
        Polled::Ready(made) => Ok(made),
        Polled::Pending { why, .. } => panic!("{why}"),
    }
}

async fn until(what: &str, done: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "not {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    start.elapsed()
}

fn expires(published: &Published) -> String {
    let (name, value) = &published.extra[0];
    assert_eq!(name, "expires");
    value.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_nobody_renews_is_taken_out_by_the_install_server() {
    let rig = Rig::new();
    let providers = rig.open(EACH_SECOND);
    let made = publish_as("r1", &providers).await.unwrap();
    assert!(expires(&made).ends_with('Z'), "{made:?}");
    assert!(rig.has_timer());
    // It looks, and lets it be.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(rig.is_there() && rig.has_timer());
    let restarts = rig.server.stops().len();
    // The run, and its controller, are gone.
    drop(providers);
    rig.expire();
    let took = until("taken out", || !rig.is_there()).await;
    println!("taken out {took:?} after its time");
    until("stopped", || !rig.has_timer()).await;
    assert_eq!(rig.server.stops().len(), restarts + 1);
    assert_eq!(
        rig.machine.says(&["systemctl", "is-active", UNIT]),
        "active"
    );
    let state = std::fs::read_dir(rig.server.state()).unwrap().flatten();
    let mut names: Vec<_> = state.map(|file| file.file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        ["host1001.lost", "lock", "work"],
        "its run hears of it"
    );
    // The run is resumed: what it had set is no more, and is set again.
    let providers = rig.open(EACH_SECOND);
    assert_eq!(published(&providers).await, None);
    let again = publish_as("r1", &providers).await.unwrap();
    assert_eq!(again.digest, made.digest);
    assert!(rig.has_timer());
    let call = Call::new("r1", 2, Arc::new(Notes::default()));
    let withdrawn = with::<bool>(&call, &providers, "dhcp.withdraw", serde_json::json!({})).await;
    assert!(
        matches!(withdrawn, Ok(Polled::Ready(true))),
        "{withdrawn:?}"
    );
    assert!(!rig.has_timer() && !rig.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lives_renews_and_another_does_not() {
    let rig = Rig::new();
    let providers = rig.open("");
    let early = rig.load("").keeper("host1001").unwrap();
    assert_eq!(early.unwrap().renew("r1").await.unwrap(), None);
    publish_as("r1", &providers).await.unwrap();
    let keeper = |keys: &str| rig.load(keys).keeper("host1001").unwrap();
    assert!(keeper("expiry = \"none\"\n").is_none());
    let keeper = Arc::new(keeper("").unwrap());
    assert_eq!(keeper.interval(), Duration::from_secs(900));
    let kept = keeper.clone();
    let task = tokio::spawn(async move { kept.keep("r1", |text| println!("{text}")).await });
    rig.expire();
    assert_eq!(keeper.renew("r2").await.unwrap(), None);
    assert_eq!(rig.renewed(), 10_000);
    let until = keeper.renew("r1").await.unwrap().unwrap();
    assert!(until.ends_with('Z') && keeper.lost().is_none(), "{until}");
    assert_eq!(rig.renewed(), 17_201);

    task.abort();

    // The install server was restarted, and knows of no timer: it has one again after the next renewal.
    rig.expire();
    let call = Call::new("r1", 7, Arc::new(Notes::default()));
    assert!(rig.has_timer());
    rig.machine.run(&["systemctl", "stop", TIMER]);
    let there = with::<Option<Published>>(
        &call,
        &providers,
        "dhcp.get-published",
        serde_json::json!({}),
    );
    let Ok(Polled::Ready(Some(there))) = there.await else {
        panic!("it is there")
    };
    assert!(!expires(&there).is_empty() && rig.has_timer());
    assert_eq!(rig.renewed(), 24_402);
}

/// One whose entry is no longer its own hears of it at each renewal, whichever process renews.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_entry_was_replaced_or_taken_out_hears_of_it() {
    let rig = Rig::new();
    let renew = async |run: &str| {
        let keeper = rig.load("").keeper("host1001").unwrap().unwrap();
        let renewed = keeper.renew(run).await;
        assert_eq!(keeper.lost().is_some(), renewed.is_err(), "{renewed:?}");
        renewed
    };
    publish_as("r1", &rig.open("")).await.unwrap();
    // Another run's entry that has not expired is left alone.
    let fault = publish_as("r2", &rig.open("")).await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Conflict, "dhcp.foreign-entry")
    );
    assert!(fault.message.contains("run r1"), "{}", fault.message);
    assert_eq!(renew("r2").await.unwrap(), None);
    rig.expire();
    publish_as("r2", &rig.open("")).await.unwrap();
    let fault = renew("r1").await.unwrap_err();
    assert_eq!(
        (&fault.kind, fault.code.as_str()),
        (&FaultKind::Conflict, "dhcp.entry-lost")
    );
    assert!(
        fault.message.contains("replaced by run r2"),
        "{}",
        fault.message
    );
    // It withdraws nothing, though it has published the same text.
    let call = Call::new("r1", 9, Arc::new(Notes::default()));
    let providers = rig.open("");
    let withdrawn = with::<bool>(&call, &providers, "dhcp.withdraw", serde_json::json!({}));
    assert_eq!(withdrawn.await.err().unwrap().code, "dhcp.not-ours");
    assert!(renew("r2").await.unwrap().is_some());
    // The file is changed by hand.
    let foreign = "\nhost host1001 {\n    hardware ethernet 02:00:00:00:00:01;\n}\n";
    std::fs::write(rig.server.snippet("host1001"), foreign).unwrap();
    assert_eq!(renew("r2").await.unwrap_err().code, "dhcp.entry-lost");
}

/// What fails leaves the entry of another run, and the time at which it expires, as they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_publication_leaves_another_runs_entry_and_its_time() {
    let rig = Rig::new();
    publish_as("r1", &rig.open("")).await.unwrap();
    let text = || std::fs::read_to_string(rig.server.snippet("host1001")).unwrap();
    let (entry, record) = (text(), std::fs::read_to_string(rig.record()).unwrap());
    let is_whole = || {
        assert_eq!(text(), entry);
        assert_eq!(std::fs::read_to_string(rig.record()).unwrap(), record);
        assert!(rig.has_timer() && rig.server.proxy().contains("host1001"));
    };
    rig.expire();
    let fault = publish_as("r2", &rig.open("scheduled = [\"false\"]\n")).await;
    assert_eq!(fault.unwrap_err().code, "dhcp.not-scheduled");
    is_whole();
    // dhcpd refuses the whole configuration; then the DHCP server does not come up once.
    let other = rig.server.snippet("other");
    std::fs::write(&other, "host other { nonsense }\n").unwrap();
    let fault = publish_as("r2", &rig.open("")).await.unwrap_err();
    assert_eq!(fault.code, "dhcp.refused", "{}", fault.message);
    std::fs::remove_file(&other).unwrap();
    is_whole();
    let fault = publish_as("r2", &rig.open("include = [\"false\"]\n")).await;
    assert_eq!(fault.unwrap_err().code, "dhcp.refused");
    is_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_done_again_and_another_entry_stays() {
    let rig = Rig::new();
    let providers = rig.open(EACH_SECOND);
    publish_as("r1", &providers).await.unwrap();
    // Somebody's broken snippet: dhcpd refuses the whole configuration.
    std::fs::write(rig.server.snippet("other"), "host other { nonsense }\n").unwrap();
    let restarts = rig.server.stops().len();
    rig.expire();
    until("removed", || !rig.server.snippet("host1001").exists()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(rig.server.stops().len(), restarts, "it serves the old one");
    assert!(rig.has_timer());
    std::fs::remove_file(rig.server.snippet("other")).unwrap();
    until("forgotten", || !rig.has_timer() && !rig.is_there()).await;
    assert_eq!(rig.server.stops().len(), restarts + 1);

    publish_as("r2", &providers).await.unwrap();
    let foreign = "\nhost host1001 {\n    hardware ethernet 02:00:00:00:00:01;\n}\n";
    std::fs::write(rig.server.snippet("host1001"), foreign).unwrap();
    rig.expire();
    until("ended", || !rig.has_timer()).await;
    let text = std::fs::read_to_string(rig.server.snippet("host1001")).unwrap();
    assert_eq!(text, foreign);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_of_a_site_looks_for_the_scheduler() {
    let rig = Rig::new();
    let line = async |keys: &str| {
        let lines = rig.load(keys).check(None).await;
        let mut lines = lines.into_iter();
        let line = lines.find(|line| line.what.ends_with("expiry of DHCP entries"));
        line.unwrap_or_else(|| panic!("no such line: {lines:?}"))
    };
    let fine = line("").await;
    assert!(fine.ok && fine.message.contains("7200 s"), "{fine:?}");
    let none = line("expiry = \"none\"\n").await;
    assert!(none.ok && none.message.starts_with("NONE!"), "{none:?}");
    let other = line("schedule = [\"no-such-scheduler\"]\n").await;
    assert!(
        !other.ok && other.message.contains("no program no-such-scheduler"),
        "{other:?}"
    );
    // Nothing is published that would stay.
    let providers = rig.open("schedule = [\"false\"]\n");
    let fault = publish_as("r1", &providers).await.unwrap_err();
    assert_eq!(fault.code, "dhcp.not-scheduled");
    assert!(!rig.is_there(), "{}", fault.message);
    // An entry that should be gone is told.
    publish_as("r1", &rig.open("")).await.unwrap();
    rig.expire();
    rig.expire();
    let late = line("").await;
    assert!(!late.ok && late.message.contains("is over"), "{late:?}");
}

/// Timers do not outlive the install server's restart. What a dead run has left is taken out by the next timer of any host.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_restart_of_the_install_server_forgot_is_taken_out_by_the_next_timer() {
    let mut rig = Rig::new();
    publish_as("r1", &rig.open(EACH_SECOND)).await.unwrap();
    rig.machine = rig.machine.restart(OTHER_BOOT_ID);
    rig.sshd.wait();
    assert!(!rig.has_timer());
    // The time before the restart does not count: the server may have been off.
    rig.uptime.set(100);
    rig.write_clock(OTHER_BOOT_ID);
    let keeper = rig.load("").keeper("host1002").unwrap().unwrap();
    assert_eq!(keeper.renew("r2").await.unwrap(), None);
    assert!(rig.is_there());
    rig.uptime.set(7201);
    rig.write_clock(OTHER_BOOT_ID);
    let site = rig.load(EACH_SECOND);
    let other = site.open("host1002").unwrap();
    publish_as("r2", &other).await.unwrap();
    until("taken out", || !rig.is_there()).await;
    assert!(rig.server.snippet("host1002").exists());
}
