//! Batches that are looked at, cancelled, ended and gone on with from other processes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{signal, until};
use common::{Done, User, guests};
use nix::sys::signal::Signal;
use std::io::BufReader;
use std::process::{Command, Stdio};

const HOSTS: &str = "host1001,host1003";

/// A batch whose process was killed while the machine of its last host that was begun was in POST.
fn killed(user: &User, last: &str, more: &[&str]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", user.home.path())
        .env("USER", "tester")
        .env_remove("XDG_STATE_HOME")
        .env("XDG_CACHE_HOME", guests().join("../test-cache"))
        .arg("run")
        .arg(guests().join("reimage.wasm"))
        .args(["--host", HOSTS, "--yes", HOSTS, "--os", "bullseye"])
        .arg("--world")
        .arg(user.home.path().join("world"))
        .args(["--speed", "400", "--output", "json"])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    until(&mut out, |event| {
        event["on"] == last && event["text"].to_string().contains("POST")
    });
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let kept = std::fs::read_dir(state(user).join("batches")).unwrap();
    let mut names = kept.map(|file| file.unwrap().file_name().into_string().unwrap());
    let name = names.find(|name| name.ends_with(".json")).unwrap();
    name.trim_end_matches(".json").to_owned()
}

fn state(user: &User) -> std::path::PathBuf {
    user.home.path().join(".local/state/wreimage")
}

/// Where each host stands, by `show BATCH`.
fn states(user: &User, batch: &str) -> Vec<String> {
    let shown = user.wreimage(&["show", batch, "--lab", "--output", "json"]);
    let all = shown.events().remove(0);
    let hosts = all["hosts"].as_array().unwrap();
    hosts
        .iter()
        .map(|it| it["state"].as_str().unwrap().to_owned())
        .collect()
}

fn resume(user: &User, batch: &str, more: &[&str]) -> Done {
    let words = ["resume", batch, "--lab", "--speed", "0", "--yes", HOSTS];
    user.wreimage(&[&words[..], more].concat())
}

#[test]
fn a_batch_shows_where_each_of_its_hosts_stands() {
    let user = User::new();
    // The second host is validated and waits for its turn.
    let batch = killed(&user, "host1001", &["--parallel", "1"]);
    assert_eq!(states(&user, &batch), ["lost", "lost"]);
    let shown = user.wreimage(&["show", &batch, "--lab"]);
    for words in [HOSTS, "waits for somebody to go on with it"] {
        assert!(shown.out.contains(words), "{words}: {}", shown.out);
    }
    let listed = user.wreimage(&["runs", "--lab", "--output", "json"]);
    assert_eq!(listed.events()[0]["batch"], batch.as_str());
    user.wreimage(&["attach", &batch, "--lab"])
        .ends_with(50, &["nobody drives", &batch]);
    user.wreimage(&["answer", &batch, "retry", "--lab"])
        .ends_with(64, &["is a batch"]);
    for one in [
        &["--retry"][..],
        &["--answer", "abort"],
        &["--guest", "bmc-check"],
    ] {
        resume(&user, &batch, one).ends_with(64, &["run by run"]);
    }
    resume(&user, &batch, &["--parallel", "2"]).ends_with(0, &["2 hosts, 2 done"]);
    assert_eq!(states(&user, &batch), ["success", "success"]);
}

#[test]
fn a_batch_that_nobody_goes_on_with_is_ended() {
    let user = User::new();
    let batch = killed(&user, "host1003", &[]);
    assert_eq!(states(&user, &batch), ["lost", "lost"]);
    let ended = user.wreimage(&["cleanup", &batch, "--lab", "--speed", "0"]);
    assert!([21, 30].contains(&ended.code), "{}", ended.said());
    assert_eq!(states(&user, &batch), ["cancelled", "cancelled"]);
    let locks = user.wreimage(&["lock", "ls", "--lab"]);
    assert!(locks.out.is_empty(), "{}", locks.out);
    user.wreimage(&["cleanup", &batch, "--lab"])
        .ends_with(40, &["have ended"]);
}

#[test]
fn a_batch_in_the_background_is_cancelled_and_watched_as_a_whole() {
    let user = User::new();
    let world = user.home.path().join("world").display().to_string();
    let begun = user.wreimage(&[
        "run",
        "reimage",
        "--host",
        HOSTS,
        "--yes",
        HOSTS,
        "--os",
        "bullseye",
        "--world",
        &world,
        "--speed",
        "100",
        "--parallel",
        "1",
        "--max-failures",
        "9",
        "--detach",
    ]);
    assert_eq!(begun.code, 0, "{}", begun.said());
    let batch = begun.out.trim().to_owned();
    assert!(batch.contains("-batch-"), "{batch}");
    // It is at work, and one process is enough.
    resume(&user, &batch, &[]).ends_with(40, &["another process works on"]);
    // Until the first of them has changed something.
    let began = std::time::Instant::now();
    let changes = || {
        let of = |run: &std::path::PathBuf| {
            let records = user.records(run);
            let is_change = |entry: &wreimage_journal::Entry| {
                matches!(entry.record, wreimage_journal::Record::Intent(_))
            };
            records.iter().any(is_change)
        };
        user.runs().iter().any(of)
    };
    while !changes() {
        assert!(began.elapsed() < std::time::Duration::from_secs(60));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    user.wreimage(&["cancel", &batch, "--lab"])
        .ends_with(0, &["no further run begins"]);
    let shown = user.wreimage(&["attach", &batch, "--lab"]);
    assert!([21, 30].contains(&shown.code), "{}", shown.said());
    assert_eq!(states(&user, &batch), ["cancelled", "cancelled"]);
    // What was wished for then does not hold when somebody resumes it: the host that waited for its turn is begun.
    resume(&user, &batch, &[]).ends_with(0, &["1 hosts, 1 done"]);
}

#[test]
fn a_damaged_journal_disturbs_no_other_batch_and_is_never_begun_anew() {
    let user = User::new();
    user.reimage("host1005", &[]).ends_with(0, &[]);
    let damage = |run: &std::path::Path| {
        let path = run.join("journal.db");
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(700).unwrap();
    };
    damage(&user.runs()[0]);
    let batch = killed(&user, "host1001", &["--parallel", "1", "--no-locks"]);
    assert_eq!(states(&user, &batch), ["lost", "lost"]);
    let mut runs = user.runs().into_iter();
    let run = runs
        .find(|run| run.display().to_string().contains("host1001"))
        .unwrap();
    let _ = std::fs::remove_file(run.join("journal.db-wal"));
    damage(&run);
    resume(&user, &batch, &[]).ends_with(40, &["damaged", "host1001"]);
}
