//! Commands that may take long, on a machine that a real systemd has booted, through its sshd: as transient units that outlive
//! the connection and the process that began them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_capability::remote::{CommandResult, Exit};
use wreimage_capability::{Call, Fault, Polled, Providers, Reconciled};
use wreimage_provider_tests::call::{Notes, reconcile_of, with, witness};
use wreimage_provider_tests::remote::{ANYTHING, command};
use wreimage_provider_tests::site::TestSite;
use wreimage_provider_tests::sshd::{BOOT_ID, OTHER_BOOT_ID, Sshd};
use wreimage_provider_tests::systemd::Systemd;
use wreimage_provider_tests::wire::Wire;

const RUN: &str = "20260102T030405-host1001-0a1b2c3d";
const LONG: u64 = 90_000;

struct Rig {
    site: TestSite,
    sshd: Sshd,
    machine: Systemd,
    wire: Wire,
}

impl Rig {
    fn new() -> Self {
        let site = TestSite::new();
        let mut sshd = Sshd::new(&site, false);
        let machine = Systemd::boot(&site, BOOT_ID, &[("ssh.service", &sshd.unit())]);
        sshd.wait();
        let wire = Wire::to(sshd.port);
        sshd.reach_by(wire.port);
        Rig {
            site,
            sshd,
            machine,
            wire,
        }
    }

    /// A new process, as far as the providers can tell.
    fn open(&self) -> Providers {
        self.site.open(&self.sshd.table(ANYTHING))
    }

    /// A command of which each start is a line in the file `starts`, which takes that long, and then ends with status 7.
    fn slow(&self, seconds: u32) -> Value {
        let starts = self.site.path("starts");
        let script = format!(
            "echo x >> {0}; echo begin; sleep {seconds}; echo end; echo words >&2; exit 7",
            starts.display()
        );
        command(&["sh", "-c", &script], LONG)
    }

    fn starts(&self) -> usize {
        let text = std::fs::read_to_string(self.site.path("starts")).unwrap_or_default();
        text.lines().count()
    }

    async fn has_begun(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        while self.starts() == 0 {
            assert!(Instant::now() < end, "it did not begin");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What is left on the machine.
    fn left(&self) -> String {
        let list = "ls /run/wreimage /run/wreimage/* /var/tmp 2>/dev/null | tr '\\n' ' '";
        self.machine.says(&["sh", "-c", list])
    }

    fn unit(&self, sequence: u64) -> String {
        let unit = format!("wreimage-{RUN}-{sequence}");
        self.machine.says(&["systemctl", "is-active", &unit])
    }
}

fn call(sequence: u64) -> (Call, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    (Call::new(RUN, sequence, notes.clone()), notes)
}

async fn run(
    call: &Call,
    providers: &Providers,
    arguments: &Value,
) -> Result<CommandResult, Fault> {
    match with(call, providers, "remote.run", arguments.clone()).await? {
        Polled::Ready(result) => Ok(result),
        Polled::Pending { why, .. } => panic!("{why}"),
    }
}

fn happened(verdict: Reconciled) -> CommandResult {
    match verdict {
        Reconciled::Happened(outcome) => serde_json::from_value(outcome).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn is_the_end_of_slow(result: &CommandResult) {
    assert_eq!(result.exit, Exit::Status(7));
    assert_eq!(
        (result.stdout_tail.as_str(), result.stderr_tail.as_str()),
        ("begin\nend\n", "words\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_command_is_a_unit_with_status_signal_and_both_streams() {
    let rig = Rig::new();
    let providers = rig.open();
    let (first, notes) = call(3);
    let script =
        "cat /proc/self/cgroup; pwd; echo \"$HOME|$PATH|$0|$1|$2|$3\"; echo err >&2; exit 3";
    let words = ["sh", "-c", script, "a b", "$HOME ${HOME}", "%n '\"", "*\n"];
    let result = run(&first, &providers, &command(&words, LONG))
        .await
        .unwrap();
    assert_eq!(result.exit, Exit::Status(3), "{result:?}");
    assert_eq!(result.stderr_tail, "err\n");
    let lines: Vec<&str> = result.stdout_tail.lines().collect();
    let unit = format!("wreimage-{RUN}-3.service");
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with(&format!("/system.slice/{unit}"))),
        "{lines:?}"
    );
    assert!(
        result.stdout_tail.contains("|a b|$HOME ${HOME}|%n '\"|*\n"),
        "{lines:?}"
    );
    assert!(result.extra.contains(&("unit".to_owned(), unit.clone())));
    assert_eq!(notes.kept.lock().unwrap().len(), 1);
    assert!(notes.progress.lock().unwrap()[0].contains(&unit));
    let left = rig.left();
    assert!(left.contains("ended") && !left.contains("out"), "{left}");

    let (second, _) = call(4);
    let result = run(
        &second,
        &providers,
        &command(&["sh", "-c", "kill -KILL $$"], LONG),
    )
    .await
    .unwrap();
    assert_eq!(result.exit, Exit::Signal("KILL".to_owned()));
    // That the run goes on shows that it knows what became of the first one.
    let left = rig.left();
    assert!(
        left.contains(&format!("{RUN}-4")) && !left.contains(&format!("{RUN}-3")),
        "{left}"
    );
    let (third, _) = call(5);
    let result = run(&third, &providers, &command(&["no-such-program"], LONG))
        .await
        .unwrap();
    assert_eq!(result.exit, Exit::Status(127));
    let failed = rig.machine.says(&[
        "systemctl",
        "list-units",
        "--all",
        "--plain",
        "--no-legend",
        "wreimage-*",
    ]);
    assert_eq!(failed, "", "no unit is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_begins_only_while_the_claim_is_valid() {
    let rig = Rig::new();
    let providers = rig.open();
    let (mut late, _) = call(3);
    late.valid_until = Some(Instant::now());
    let fault = run(&late, &providers, &rig.slow(0)).await.unwrap_err();
    assert_eq!(fault.code, "call.claim-expired", "{}", fault.message);
    assert_eq!(rig.starts(), 0);
    let (mut valid, _) = call(4);
    valid.valid_until = Some(Instant::now() + Duration::from_secs(60));
    let result = run(&valid, &providers, &rig.slow(0)).await.unwrap();
    is_the_end_of_slow(&result);
    assert_eq!(rig.starts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_output_is_bounded_and_kept() {
    let rig = Rig::new();
    let (call, notes) = call(3);
    let script = "head -c 20000000 /dev/zero | tr '\\0' x; echo the end; echo on stderr >&2";
    let result = run(&call, &rig.open(), &command(&["sh", "-c", script], LONG))
        .await
        .unwrap();
    assert_eq!(result.stdout_tail.len(), 16 << 10);
    assert!(result.stdout_tail.ends_with("xthe end\n"));
    assert_eq!(result.stderr_tail, "on stderr\n");
    let kept = notes.kept.lock().unwrap()[0].len();
    assert!(((8 << 20) - 100..=8 << 20).contains(&kept), "{kept}");
    let cut = ("blob-truncated".to_owned(), "true".to_owned());
    assert!(result.extra.contains(&cut), "{:?}", result.extra);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_anew() {
    let rig = Rig::new();
    let providers = rig.open();
    let (call, notes) = call(3);
    let arguments = rig.slow(6);
    let cuts = async {
        rig.has_begun().await;
        rig.wire.cut(true);
        tokio::time::sleep(Duration::from_secs(3)).await;
        rig.wire.cut(false);
        tokio::time::sleep(Duration::from_millis(2500)).await;
        rig.wire.cut(false);
    };
    let (result, ()) = tokio::join!(run(&call, &providers, &arguments), cuts);
    is_the_end_of_slow(&result.unwrap());
    assert_eq!(rig.starts(), 1);
    let progress = notes.progress.lock().unwrap().join("\n");
    assert!(progress.contains("goes on without"), "{progress}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_goes_back_to_the_unit_and_never_begins_it_twice() {
    let rig = Rig::new();
    let arguments = rig.slow(25);
    let (call, notes) = call(3);
    let dead = rig.open();
    let before = witness(&dead, "remote.run", &arguments).await;
    // Nothing was begun yet.
    let verdict = reconcile_of(&call, &dead, "remote.run", &arguments, &before).await;
    assert_eq!(verdict, Reconciled::DidNot);
    // The process goes away.
    tokio::select! {
        result = run(&call, &dead, &arguments) => panic!("{result:?}"),
        () = rig.has_begun() => {}
    }
    drop(dead);
    rig.wire.cut(false);
    // The next one may do it again, which is to go back to it.
    let next = rig.open();
    let verdict = reconcile_of(&call, &next, "remote.run", &arguments, &before).await;
    assert_eq!(verdict, Reconciled::DidNot);
    assert_eq!(rig.unit(3), "active");
    is_the_end_of_slow(&run(&call, &next, &arguments).await.unwrap());
    assert_eq!(rig.starts(), 1);
    let progress = notes.progress.lock().unwrap().join("\n");
    assert!(progress.contains("going back to"), "{progress}");
    // Fetched, and the process went away before that was written down: it is known that it must not be done again.
    let last = rig.open();
    let result = happened(reconcile_of(&call, &last, "remote.run", &arguments, &before).await);
    assert_eq!(
        (result.exit, result.stdout_tail.as_str()),
        (Exit::Status(7), "")
    );
    assert!(
        result.extra.iter().any(|(name, _)| name == "output"),
        "{:?}",
        result.extra
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_meanwhile_happened_and_what_a_reboot_ended_is_not_known() {
    let mut rig = Rig::new();
    let (first, _) = call(3);
    let arguments = rig.slow(1);
    let dead = rig.open();
    let before = witness(&dead, "remote.run", &arguments).await;
    tokio::select! {
        result = run(&first, &dead, &arguments) => panic!("{result:?}"),
        () = rig.has_begun() => {}
    }
    drop(dead);
    while rig.unit(3) == "active" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let next = rig.open();
    let verdict = reconcile_of(&first, &next, "remote.run", &arguments, &before).await;
    is_the_end_of_slow(&happened(verdict));

    let (second, _) = call(4);
    let arguments = rig.slow(60);
    tokio::select! {
        result = run(&second, &next, &arguments) => panic!("{result:?}"),
        () = tokio::time::sleep(Duration::from_secs(2)) => {}
    }
    let next = rig.open();
    rig.wire.cut(true);
    let verdict = reconcile_of(&second, &next, "remote.run", &arguments, &before).await;
    assert!(
        matches!(&verdict, Reconciled::Unknown(why) if why.contains("cannot be asked")),
        "{verdict:?}"
    );
    rig.wire.cut(false);
    rig.machine = rig.machine.restart(OTHER_BOOT_ID);
    let end = Instant::now() + Duration::from_secs(20);
    let verdict = loop {
        let verdict = reconcile_of(&second, &next, "remote.run", &arguments, &before).await;
        let up = !matches!(&verdict, Reconciled::Unknown(why) if why.contains("cannot be asked"));
        if up || Instant::now() > end {
            break verdict;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(
        matches!(&verdict, Reconciled::Unknown(why) if why.contains("has rebooted since")),
        "{verdict:?}"
    );
    assert_eq!(rig.starts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_itself_kills_a_unit_that_outlasts_its_timeout() {
    let rig = Rig::new();
    let (call, _) = call(3);
    // The shortest that is long; its children are killed too.
    let script = "echo begin; sleep 1000 & sleep 1000; echo never";
    let start = Instant::now();
    let result = run(&call, &rig.open(), &command(&["sh", "-c", script], 60_001))
        .await
        .unwrap();
    let took = start.elapsed();
    assert!(
        (Duration::from_secs(60)..Duration::from_secs(75)).contains(&took),
        "{took:?}"
    );
    assert_eq!(result.exit, Exit::Other("killed at its timeout".to_owned()));
    assert_eq!(result.stdout_tail, "begin\n");
    assert_eq!(rig.machine.says(&["pgrep", "-x", "sleep"]), "");
}

#[tokio::test]
async fn a_machine_without_systemd_runs_it_in_the_session_and_that_is_told() {
    let site = TestSite::new();
    let sshd = Sshd::start(&site);
    let providers = site.open(&sshd.table(ANYTHING));
    let (call, notes) = call(3);
    let arguments = command(&["sh", "-c", "echo here; exit 3"], LONG);
    let before = witness(&providers, "remote.run", &arguments).await;
    let result = run(&call, &providers, &arguments).await.unwrap();
    assert_eq!(
        (result.exit, result.stdout_tail.as_str()),
        (Exit::Status(3), "here\n")
    );
    let progress = notes.progress.lock().unwrap().join("\n");
    assert!(progress.contains("runs no systemd"), "{progress}");
    let verdict = reconcile_of(&call, &providers, "remote.run", &arguments, &before).await;
    assert!(matches!(verdict, Reconciled::Unknown(_)), "{verdict:?}");
}
