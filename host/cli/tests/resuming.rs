//! Runs that are interrupted, answered and gone on with, by the program as a user calls it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Done, User, guests};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A reimage in a world that is kept, fast enough for a test and slow enough to be stopped.
fn begin(user: &User, host: &str, speed: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", user.home.path())
        .env("USER", "tester")
        .env_remove("XDG_STATE_HOME")
        .arg("run")
        .arg(guests().join("reimage.wasm"))
        .args(["--host", host, "--os", "bullseye", "--yes", host])
        .arg("--world")
        .arg(user.home.path().join("world"))
        .args(["--output", "json", "--speed", speed])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Reads until an event fits; returns the id of the run.
fn until(out: &mut impl BufRead, wanted: impl Fn(&Value) -> bool) -> String {
    let mut run = String::new();
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        let event: Value = serde_json::from_str(&line).unwrap();
        line.clear();
        if event["event"] == "header" {
            event["run"].as_str().unwrap().clone_into(&mut run);
        }
        if wanted(&event) {
            return run;
        }
    }
    panic!("the run ended before");
}

fn in_post(event: &Value) -> bool {
    event["event"] == "progress" && event["text"].to_string().contains("POST")
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

fn killed(user: &User, host: &str) -> String {
    let (mut child, mut out) = begin(user, host, "400");
    let run = until(&mut out, in_post);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    run
}

fn state_of(user: &User, run: &str) -> String {
    let listed = user.wreimage(&["runs", "--lab", "--output", "json"]);
    listed
        .events()
        .into_iter()
        .find(|it| it["run"] == run)
        .unwrap()["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn resume(user: &User, run: &str, more: &[&str]) -> Done {
    let arguments = [&["resume", run, "--speed", "0"], more].concat();
    user.wreimage(&arguments)
}

#[test]
fn a_run_whose_process_is_killed_is_lost_and_goes_on() {
    let user = User::new();
    let run = killed(&user, "host1001");
    assert_eq!(state_of(&user, &run), "lost");
    // Its host is half-way: nobody else may begin there.
    let world = user.home.path().join("world").display().to_string();
    let other = [
        "run", "reimage", "--host", "host1001", "--os", "bullseye", "--yes", "host1001",
    ];
    user.wreimage(&[&other[..], &["--world", &world]].concat())
        .ends_with(40, &[&run, "wreimage resume", "Nothing was touched"]);
    let listed = user.wreimage(&["lock", "ls", "--lab"]);
    assert!(
        listed.out.contains(&run) && listed.out.contains("dead"),
        "{}",
        listed.out
    );

    resume(&user, &run, &[]).ends_with(0, &["SUCCESS"]);
    assert_eq!(state_of(&user, &run), "success");
    resume(&user, &run, &[]).ends_with(40, &["has ended"]);
    let listed = user.wreimage(&["lock", "ls", "--lab"]);
    assert!(listed.out.is_empty(), "{}", listed.out);
    let shown = user.wreimage(&["show", &run, "--lab", "--calls"]);
    for words in ["resumed by tester", "ipmi.set-power", "blobs"] {
        let found = shown.out.contains(words);
        assert!(found, "{words}: {}", shown.out);
    }
}

#[test]
fn a_terminated_run_can_be_resumed_and_a_terminal_that_goes_away_stops_nothing() {
    let user = User::new();
    let (mut child, mut out) = begin(&user, "host1001", "400");
    let run = until(&mut out, in_post);
    signal(&child, Signal::SIGHUP);
    until(&mut out, |event| event["event"] == "outcome");
    signal(&child, Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(50));
    resume(&user, &run, &[]).ends_with(0, &["SUCCESS"]);
}

#[test]
fn a_run_that_nobody_resumes_is_ended_and_taken_back() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let ended = user.wreimage(&["cleanup", &run, "--speed", "0"]);
    assert!([21, 30].contains(&ended.code), "{}", ended.said());
    assert!(ended.said().contains("the DHCP entry"), "{}", ended.said());
    assert_eq!(state_of(&user, &run), "cancelled");
    resume(&user, &run, &[]).ends_with(40, &["has ended"]);
}

#[test]
fn a_question_waits_for_its_answer() {
    let user = User::new();
    // Its first Puppet run fails, and nobody is at the terminal.
    let (mut child, mut out) = begin(&user, "host1007", "0");
    let run = until(&mut out, |event| event["event"] == "question");
    assert_eq!(child.wait().unwrap().code(), Some(50));
    assert_eq!(state_of(&user, &run), "paused");
    let shown = user.wreimage(&["show", &run, "--lab"]);
    assert!(shown.out.contains("retry"), "{}", shown.out);
    user.wreimage(&["answer", &run, "maybe", "--lab"])
        .ends_with(64, &["retry, skip, abort"]);
    user.wreimage(&["answer", &run, "retry", "--lab"])
        .ends_with(0, &["kept", "wreimage resume"]);
    resume(&user, &run, &[]).ends_with(0, &["WITH WARNINGS", "retried"]);
    user.wreimage(&["answer", &run, "retry", "--lab"])
        .ends_with(64, &["waits for no answer"]);
}

#[test]
fn a_question_is_answered_with_the_resume() {
    let user = User::new();
    let (mut child, mut out) = begin(&user, "host1008", "0");
    let run = until(&mut out, |event| event["event"] == "question");
    assert_eq!(child.wait().unwrap().code(), Some(50));
    resume(&user, &run, &["--answer", "abort"]).ends_with(21, &["The operator decided to stop"]);
}

#[test]
fn another_guest_goes_on_only_if_it_does_what_was_done() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let check = guests().join("bmc-check.wasm").display().to_string();
    resume(&user, &run, &["--guest", &check])
        .ends_with(40, &["cannot go on with this run", "the journal has"]);
    assert_eq!(state_of(&user, &run), "lost");
    // The same guest as another file: a section more.
    let mut bytes = std::fs::read(guests().join("reimage.wasm")).unwrap();
    bytes.extend([0x00, 0x03, 0x01, b'x', 0x00]);
    let other = user.file("other.wasm", &bytes);
    resume(&user, &run, &["--guest", &other]).ends_with(0, &["SUCCESS"]);
    let logs = user.wreimage(&["logs", &run, "--lab", "--output", "json"]);
    let changed = logs
        .events()
        .iter()
        .any(|it| it["event"] == "guest-changed");
    assert!(changed);
}

#[test]
fn a_lock_that_was_broken_stops_its_holder() {
    let user = User::new();
    let (mut child, mut out) = begin(&user, "host1001", "150");
    let run = until(&mut out, in_post);
    let world = user.home.path().join("world").display().to_string();
    let name = format!("{world}/host1001");
    user.wreimage(&["lock", "break", &name, "--lab"])
        .ends_with(0, &["taken away", &run]);
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(50), "{rest}");
    assert!(rest.contains("was taken away from this run"), "{rest}");
}

#[test]
fn what_is_no_run_is_said() {
    let user = User::new();
    for command in ["resume", "cleanup", "show", "logs"] {
        user.wreimage(&[command, "nothing", "--lab"])
            .ends_with(64, &["there is no run \"nothing\"", "wreimage runs"]);
    }
    user.wreimage(&["lock", "break", "nothing", "--lab"])
        .ends_with(64, &["wreimage lock ls"]);
}
