//! The program itself is killed with -9 at moments in which it is about to begin, or to end, or to act on an answer: its host
//! is never locked for good, and nothing is done twice.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{begin, resume, signal, until};
use common::{Done, User};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};
use wreimage_journal::Locks;

fn reimage(user: &User, host: &str, more: &[&str]) -> Done {
    let world = user.home.path().join("world").display().to_string();
    let mut words = vec!["run", "reimage", "--host", host, "--yes", host];
    words.extend(["--os", "bullseye", "--speed", "0", "--world", &world]);
    words.extend(more);
    user.wreimage(&words)
}

/// Ends or goes on with whatever run is open on the host; then another one begins there.
fn is_free_again(user: &User, moment: &str) {
    let listed = user.wreimage(&["runs", "--lab", "--output", "json"]);
    let lost = listed.events().into_iter().find(|it| it["state"] == "lost");
    if let Some(run) = lost {
        let ended = user.wreimage(&["cleanup", run["run"].as_str().unwrap(), "--speed", "0"]);
        // One without a record never began.
        assert!(
            [0, 20, 21, 30, 40].contains(&ended.code),
            "{moment}: {}",
            ended.said()
        );
    }
    // How far the one before had come decides what the next says of the host; that it looks at it is what counts.
    let next = reimage(user, "host1001", &["--new"]).said();
    assert!(
        next.contains("Ensure the host to reimage is a physical host")
            && !next.contains("is held by"),
        "{moment}: {next}"
    );
}

#[test]
fn a_process_that_is_killed_while_it_begins_keeps_its_host_from_nobody() {
    for wait in [0, 1, 2, 4, 8, 16] {
        let user = User::new();
        let (mut child, _out) = begin(&user, "host1001", "400");
        let state = user.home.path().join(".local/state/wreimage");
        // From the moment in which it has the lock it is about to make its journal.
        let end = Instant::now() + Duration::from_secs(60);
        while !state.join("locks.db").is_file()
            || Locks::open(&state).unwrap().held().unwrap().is_empty()
        {
            assert!(Instant::now() < end, "it takes no lock");
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(wait));
        signal(&child, Signal::SIGKILL);
        child.wait().unwrap();
        is_free_again(&user, &format!("{wait} ms after the lock"));
    }
}

#[test]
fn a_process_that_is_killed_after_its_last_record_keeps_its_host_from_nobody() {
    for _ in 0..3 {
        let user = User::new();
        let (mut child, mut out) = begin(&user, "host1001", "0");
        let run = until(&mut out, |event| event["event"] == "finished");
        signal(&child, Signal::SIGKILL);
        child.wait().unwrap();
        resume(&user, &run, &[]).ends_with(40, &["has ended"]);
        is_free_again(&user, "after the last record");
    }
}

#[test]
fn an_answer_is_acted_on_once_although_the_process_that_has_it_is_killed() {
    for wait in [0, 5, 20, 80] {
        let user = User::new();
        let (mut child, mut out) = begin(&user, "host1007", "0");
        let run = until(&mut out, |event| event["event"] == "question");
        assert_eq!(child.wait().unwrap().code(), Some(50));
        user.wreimage(&["answer", &run, "retry", "--lab"])
            .ends_with(0, &["kept"]);
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_wreimage"))
            .env("HOME", user.home.path())
            .env("USER", "tester")
            .env_remove("XDG_STATE_HOME")
            .env("XDG_CACHE_HOME", common::guests().join("../test-cache"))
            .args(["resume", &run, "--speed", "0", "--output", "json"])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        until(&mut out, |event| event["event"] == "resumed");
        std::thread::sleep(Duration::from_millis(wait));
        signal(&child, Signal::SIGKILL);
        child.wait().unwrap();
        let ended = resume(&user, &run, &[]);
        // It may have come to its end before it was killed.
        let is_well = ended.code == 0 || ended.said().contains("has ended (warnings)");
        assert!(is_well, "{wait} ms: {}", ended.said());
        let folder = user
            .runs()
            .into_iter()
            .find(|it| it.ends_with(&run))
            .unwrap();
        let answers = user.records(&folder);
        let answers = answers
            .iter()
            .filter(|it| matches!(it.record, wreimage_journal::Record::Answer(_)));
        assert_eq!(answers.count(), 1, "{wait} ms");
    }
}
