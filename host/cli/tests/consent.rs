//! Consent at a terminal, and from another one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{resume, signal, state_of};
use common::{User, guests};
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A reimage of host1001 at a terminal, in a world that is kept, and what types there.
fn at_a_terminal(user: &User) -> (Child, File) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let screen = || Stdio::from(File::from(terminal.slave.try_clone().unwrap()));
    let child = Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", user.home.path())
        .env("USER", "tester")
        .env("TERM", "dumb")
        .env_remove("XDG_STATE_HOME")
        .env("XDG_CACHE_HOME", guests().join("../test-cache"))
        .arg("run")
        .arg(guests().join("reimage.wasm"))
        .args(["--host", "host1001", "--os", "bullseye", "--speed", "0"])
        .arg("--world")
        .arg(user.home.path().join("world"))
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
        logs.out.contains("answered by tester: host1001"),
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
