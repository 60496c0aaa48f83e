//! A published DHCP entry goes by itself when its run does not renew it: by a timer of a real systemd on the install server,
//! with a real `dhcpd` as its service. Deadlines are moved by writing them, as time would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_capability::dhcp::Published;
use wreimage_capability::{Call, Fault, Polled, Providers};
use wreimage_provider_tests::call::{Notes, with};
use wreimage_provider_tests::dhcp::{behind_ssh, entry, published, withdraw};
use wreimage_provider_tests::install_server::InstallServer;
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::{BOOT_ID, OTHER_BOOT_ID, Sshd};
use wreimage_provider_tests::systemd::Systemd;

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
}

impl Rig {
    fn new() -> Self {
        let site = TestSite::new();
        let (server, unit) = InstallServer::with_daemon(&site);
        let sshd = Sshd::new(&site, false);
        let units = [(UNIT, unit.as_str()), ("ssh.service", &sshd.unit())];
        let machine = Systemd::boot(&site, BOOT_ID, &units);
        sshd.wait();
        Rig {
            site,
            server,
            sshd,
            machine,
        }
    }

    fn table(&self, keys: &str) -> String {
        behind_ssh(&self.server.table_with(keys), &self.sshd)
    }

    fn open(&self, keys: &str) -> Providers {
        self.site.open(&self.table(keys))
    }

    fn has_timer(&self) -> bool {
        self.machine.says(&["systemctl", "is-active", TIMER]) == "active"
    }

    fn deadline_file(&self) -> PathBuf {
        self.server.state().join("host1001.expiry")
    }

    /// The deadline in seconds of the epoch.
    fn deadline(&self) -> u64 {
        let text = std::fs::read_to_string(self.deadline_file()).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }

    /// Lets the time go by that the entry has.
    fn expire(&self) {
        let text = std::fs::read_to_string(self.deadline_file()).unwrap();
        let (_, rest) = text.split_once('\n').unwrap();
        std::fs::write(self.deadline_file(), format!("1000000000\n{rest}")).unwrap();
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
    assert_eq!(std::fs::read_dir(rig.server.state()).unwrap().count(), 2);
    // The run is resumed: what it had set is no more, and is set again.
    let providers = rig.open(EACH_SECOND);
    assert_eq!(published(&providers).await, None);
    let again = publish_as("r1", &providers).await.unwrap();
    assert_eq!(again.digest, made.digest);
    assert!(rig.has_timer());
    assert!(withdraw(&providers, Some(&made)).await.unwrap());
    assert!(!rig.has_timer() && !rig.is_there());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lives_renews_and_another_does_not() {
    let rig = Rig::new();
    let providers = rig.open("");
    let early = rig.site.load(&rig.table("")).keeper("host1001").unwrap();
    assert_eq!(early.unwrap().renew("r1").await.unwrap(), None);
    publish_as("r1", &providers).await.unwrap();
    let keeper = |keys: &str| rig.site.load(&rig.table(keys)).keeper("host1001").unwrap();
    assert!(keeper("expiry = \"none\"\n").is_none());
    let keeper = Arc::new(keeper("").unwrap());
    assert_eq!(keeper.interval(), Duration::from_secs(900));
    let kept = keeper.clone();
    let task = tokio::spawn(async move { kept.keep("r1", |text| println!("{text}")).await });
    rig.expire();
    assert_eq!(keeper.renew("r2").await.unwrap(), None);
    assert_eq!(rig.deadline(), 1_000_000_000);
    let until = keeper.renew("r1").await.unwrap().unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let left = rig.deadline() - now.as_secs();
    assert!((7100..=7200).contains(&left), "{left} s, {until}");

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
    assert!(rig.deadline() > 1_000_000_000);
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
        let lines = rig.site.load(&rig.table(keys)).check(None).await;
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
    rig.expire();
    let site = rig.site.load(&rig.table(EACH_SECOND));
    let other = site.open("host1002").unwrap();
    publish_as("r2", &other).await.unwrap();
    until("taken out", || !rig.is_there()).await;
    assert!(rig.server.snippet("host1002").exists());
}
