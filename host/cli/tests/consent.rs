//! Consent and answers at a terminal, and from another one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{begin_with, resume, signal, state_of, until};
use common::{User, guests};
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A reimage of host1001 at a terminal, in a world that is kept, and what types there.
fn at_a_terminal(user: &User) -> (Child, File) {
    let guest = guests().join("reimage.wasm").display().to_string();
    let world = user.home.path().join("world").display().to_string();
    let words = ["run", &guest, "--host", "host1001", "--os", "bullseye"];
    typed_to(
        user,
        &[&words[..], &["--speed", "0", "--world", &world]].concat(),
    )
}

/// The program at a terminal, and what types there.
fn typed_to(user: &User, words: &[&str]) -> (Child, File) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let screen = || Stdio::from(File::from(terminal.slave.try_clone().unwrap()));
    let child = Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", user.home.path())
        .env("USER", "tester")
        .env("TERM", "dumb")
        .env_remove("XDG_STATE_HOME")
        .env("XDG_CACHE_HOME", guests().join("../test-cache"))
        .args(words)
        .stdin(screen())
        .stdout(Stdio::null())
        .stderr(screen())
        .spawn()
        .unwrap();
    let keyboard = File::from(terminal.master);
    // A terminal whose output nobody takes stands still.
    let mut seen = keyboard.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut some = [0; 4096];
        while seen.read(&mut some).is_ok_and(|read| read > 0) {}
    });
    (child, keyboard)
}

/// The only run of this user, once it waits for consent.
fn waiting(user: &User) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        let listed = user.wreimage(&["runs", "--lab", "--output", "json"]);
        if let Some(run) = listed.events().first()
            && run["state"] == "waiting"
        {
            let asked = run["question"]["question"].as_str().unwrap();
            assert!(asked.starts_with("may host1001 of site lab1"), "{asked}");
            return run["run"].as_str().unwrap().to_owned();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it does not ask for consent");
}

/// A run whose process was killed while it waited for consent.
fn lost(user: &User) -> String {
    let (mut child, _keyboard) = at_a_terminal(user);
    let run = waiting(user);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    run
}

#[test]
fn the_name_of_the_host_is_typed() {
    for (typed, code) in [("host1001\n", 0), ("host1002\n", 40), ("\n", 40)] {
        let user = User::new();
        let (mut child, mut keyboard) = at_a_terminal(&user);
        let run = waiting(&user);
        // The prompt comes after the record, and what was typed before it is not meant.
        std::thread::sleep(Duration::from_millis(300));
        keyboard.write_all(typed.as_bytes()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{typed:?}");
        let wanted = if code == 0 { "success" } else { "refused" };
        assert_eq!(state_of(&user, &run), wanted);
    }
}

#[test]
fn consent_is_given_from_another_terminal() {
    let user = User::new();
    let (mut child, _keyboard) = at_a_terminal(&user);
    let run = waiting(&user);
    user.wreimage(&["answer", &run, "yes", "--lab"])
        .ends_with(64, &["answer one of host1001, no"]);
    user.wreimage(&["answer", &run, "host1001", "--lab"])
        .ends_with(0, &["answered"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let logs = user.wreimage(&["logs", &run, "--lab"]);
    assert!(
        logs.out.contains("): host1001") && logs.out.contains("answered by "),
        "{}",
        logs.out
    );
}

#[test]
fn a_run_that_is_lost_at_its_consent_goes_on_with_the_answer() {
    let user = User::new();
    let run = lost(&user);
    assert_eq!(state_of(&user, &run), "lost");
    let listed = user.wreimage(&["runs", "--lab"]);
    assert!(
        listed.out.contains("waits for an answer: may host1001"),
        "{}",
        listed.out
    );
    // Nobody is there: it waits on, and nothing was touched.
    resume(&user, &run, &[]).ends_with(50, &["may host1001"]);
    assert_eq!(state_of(&user, &run), "paused");
    resume(&user, &run, &["--answer", "maybe"]).ends_with(64, &["host1001, no"]);
    resume(&user, &run, &["--answer", "host1001"]).ends_with(0, &["SUCCESS"]);

    let user = User::new();
    let run = lost(&user);
    resume(&user, &run, &["--answer", "no"]).ends_with(40, &["Nothing was touched"]);

    let user = User::new();
    let run = lost(&user);
    resume(&user, &run, &["--yes", "host1001"]).ends_with(0, &["SUCCESS"]);
    let logs = user.wreimage(&["logs", &run, "--lab"]);
    assert!(
        logs.out
            .contains("answered by consent in advance: host1001"),
        "{}",
        logs.out
    );
}

#[test]
fn a_run_that_pauses_at_failures_asks_whoever_resumes_it_at_a_terminal() {
    let user = User::new();
    let world = user.wreimage(&["lab", "show"]).out;
    let world = world.replace("rejects = 0", "rejects = 1");
    let lab = format!("--lab={}", user.file("world.toml", world.as_bytes()));
    let pausing = [&lab, "--on-failure", "pause", "--speed", "0"];
    let (mut child, mut out) = begin_with(&user, "host1001", &pausing);
    let run = until(&mut out, |event| event["event"] == "question");
    assert_eq!(child.wait().unwrap().code(), Some(50));
    let (mut child, mut keyboard) = typed_to(&user, &["resume", &run, "--speed", "0"]);
    let end = Instant::now() + Duration::from_secs(60);
    while state_of(&user, &run) != "waiting" {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "it does not ask: {ended:?}");
        assert!(Instant::now() < end, "it does not ask");
        std::thread::sleep(Duration::from_millis(50));
    }
    // What is typed before the question is shown is not meant for it.
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "it takes no answer");
        let _gone = keyboard.write_all(b"abort\n");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(["failed", "cancelled"].contains(&state_of(&user, &run).as_str()));
}
