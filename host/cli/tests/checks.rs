//! What was checked stays checked: runs that wait while the world changes, by the program as a user calls it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{begin_with, in_post, killed, resume, signal, state_of, until};
use common::{User, guests};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::process::Child;

/// Something changes in the world while no process drives the run.
fn change(user: &User, change: impl FnOnce(&mut Value)) {
    let path = user.home.path().join("world/world.json");
    let mut world: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut world["machines"]["host1001"]);
    std::fs::write(&path, world.to_string()).unwrap();
}

fn protect(user: &User) {
    change(user, |host| {
        host["inventory"]["device"]["tags"] = json!(["protected"])
    });
}

/// Another machine is behind the name.
fn swap(user: &User) {
    change(user, |host| {
        host["hardware"]["serial"] = json!("LAB9999");
        host["bmc"]["serial"] = json!("LAB9999");
        host["hardware"]["uuid"] = json!("00000000-0000-4000-8000-000000009999");
        host["bmc"]["guid"] = json!("00000000-0000-4000-8000-000000009999");
    });
}

/// A run that has changed something and waits for an operator before the wipe: its DHCP entry could not be published.
fn paused_before_the_wipe(user: &User) -> String {
    let world = user.wreimage(&["lab", "show"]).out;
    let world = world.replace("rejects = 0", "rejects = 1");
    let lab = format!("--lab={}", user.file("world.toml", world.as_bytes()));
    let pausing = [&lab, "--on-failure", "pause", "--speed", "0"];
    let (mut child, mut out) = begin_with(user, "host1001", &pausing);
    let run = until(&mut out, |event| event["event"] == "question");
    assert_eq!(child.wait().unwrap().code(), Some(50));
    run
}

fn kill(mut child: Child) {
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
}

/// The changes that the journal has, without what was undone.
fn changes(user: &User, run: &str) -> Vec<String> {
    let logs = user.wreimage(&["logs", run, "--lab", "--output", "json"]);
    let events = logs.events().into_iter();
    events
        .filter(|it| it["event"] == "intent" && it["origin"] == "guest")
        .map(|it| it["function"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_host_that_was_protected_while_its_run_waited_is_not_wiped() {
    let user = User::new();
    let run = paused_before_the_wipe(&user);
    let before = changes(&user, &run);
    protect(&user);
    let done = resume(&user, &run, &["--retry"]);
    assert!([20, 21].contains(&done.code), "{}", done.said());
    assert!(done.said().contains("protected"), "{}", done.said());
    assert!(
        !done.said().contains("Nothing was touched"),
        "{}",
        done.said()
    );
    let after = changes(&user, &run);
    assert!(!after.contains(&"ipmi.set-power".to_owned()), "{after:?}");
    assert_eq!(after[..before.len()], before[..]);
}

#[test]
fn a_machine_that_was_swapped_while_its_run_waited_is_not_touched() {
    let user = User::new();
    let run = paused_before_the_wipe(&user);
    swap(&user);
    let done = resume(&user, &run, &["--retry"]);
    assert!([20, 21].contains(&done.code), "{}", done.said());
    for words in ["wrong machine", "LAB9999", "LAB1001"] {
        assert!(done.said().contains(words), "{words}: {}", done.said());
    }
    let after = changes(&user, &run);
    assert!(!after.contains(&"ipmi.set-power".to_owned()), "{after:?}");
}

#[test]
fn what_was_shown_and_differs_is_asked_anew() {
    let user = User::new();
    let run = paused_before_the_wipe(&user);
    change(&user, |host| {
        host["inventory"]["device"]["status"] = json!("Failed")
    });
    let asks = ["the status was `active` and is `failed`"];
    resume(&user, &run, &["--retry"]).ends_with(50, &asks);
    // The question stays open, and its answer is the consent.
    assert_eq!(state_of(&user, &run), "paused");
    let listed = user.wreimage(&["runs", "--lab"]);
    assert!(
        listed.out.contains("since consent was given"),
        "{}",
        listed.out
    );
    resume(&user, &run, &["--answer", "host1001"]).ends_with(0, &[]);
}

#[test]
fn after_the_wipe_has_begun_a_protected_host_waits() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let tags = json!([]);
    protect(&user);
    // What is left to do restarts the machine once more.
    let done = resume(&user, &run, &[]);
    done.ends_with(
        50,
        &["protected", "wiped", "wreimage resume", "wreimage cleanup"],
    );
    assert_eq!(state_of(&user, &run), "paused");
    change(&user, |host| host["inventory"]["device"]["tags"] = tags);
    resume(&user, &run, &[]).ends_with(0, &["SUCCESS"]);
}

#[test]
fn another_guest_needs_consent_of_its_own() {
    let user = User::new();
    let run = killed(&user, "host1001");
    let mut bytes = std::fs::read(guests().join("reimage.wasm")).unwrap();
    bytes.extend([0x00, 0x03, 0x01, b'x', 0x00]);
    let other = user.file("other.wasm", &bytes);
    resume(&user, &run, &["--guest", &other]).ends_with(50, &["the guest was", "may host1001"]);
    // It has changed nothing, and no one but an operator lets it.
    resume(&user, &run, &[]).ends_with(50, &["the guest was"]);
    resume(&user, &run, &["--yes", "host1001"]).ends_with(0, &["SUCCESS"]);
}

#[test]
fn consent_shows_the_old_system_and_the_new_one() {
    let user = User::new();
    let (child, mut out) = begin_with(&user, "host1001", &["--speed", "400"]);
    let run = until(&mut out, in_post);
    kill(child);
    let logs = user.wreimage(&["logs", &run, "--lab", "--output", "json"]);
    let consented = logs.events().into_iter();
    let consented = consented.filter(|event| event["event"] == "consented");
    let shown: String = consented.map(|event| event["known"].to_string()).collect();
    assert!(
        shown.contains("old OS") && shown.contains("buster"),
        "{shown}"
    );
    assert!(
        shown.contains("new OS") && shown.contains("bullseye"),
        "{run}: {shown}"
    );
}
