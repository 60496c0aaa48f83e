//! Which host key a run accepts of a system that an earlier run left half-way, by the program as a user calls it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::{begin_with, resume, until};
use common::{Done, User};
use serde_json::{Value, json};

const HOST: &str = "host1007";
const OTHER: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn world(user: &User) -> String {
    user.home.path().join("world").display().to_string()
}

fn change(user: &User, change: impl FnOnce(&mut Value)) {
    let path = user.home.path().join("world/world.json");
    let mut world: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut world);
    std::fs::write(&path, world.to_string()).unwrap();
}

fn machine(user: &User, alter: impl FnOnce(&mut Value)) {
    change(user, |world| alter(&mut world["machines"][HOST]));
}

/// The agent has reported nothing by which the host's certificate confirms the key.
fn forget_report(user: &User) {
    change(user, |world| {
        let facts = &mut world["services"]["puppetdb"]["nodes"][HOST]["facts"];
        assert!(facts.as_object_mut().unwrap().remove("ssh").is_some());
    });
}

/// The host key that the new system shows.
fn shown(user: &User) -> String {
    let mut key = String::new();
    machine(user, |host| {
        host["boot"]["host_key"]
            .as_str()
            .unwrap()
            .clone_into(&mut key);
    });
    key
}

/// A run whose first Puppet run has failed, and that waits: the new system lets in the installer's key only.
fn half_way(user: &User) -> String {
    let (mut child, mut out) = begin_with(user, HOST, &["--speed", "0"]);
    let run = until(&mut out, |event| event["event"] == "question");
    assert_eq!(child.wait().unwrap().code(), Some(50));
    run
}

/// Continues with the system in the world of another user's run.
fn continue_as(user: &User, world: &str, more: &[&str]) -> Done {
    let words = [
        "run", "reimage", "--host", HOST, "--os", "bullseye", "--no-pxe", "--yes", HOST, "--speed",
        "0", "--output", "json", "--world", world,
    ];
    user.wreimage(&[&words, more].concat())
}

fn event(done: &Done, name: &str) -> Value {
    let events = done.events().into_iter();
    let mut events = events.filter(|it| it["event"] == name);
    events.next().unwrap_or_else(|| panic!("{}", done.said()))
}

#[test]
fn the_key_that_a_journal_of_this_state_folder_recorded_for_the_boot_needs_no_one() {
    let user = User::new();
    let run = half_way(&user);
    resume(&user, &run, &["--abort"]).ends_with(21, &[]);
    let done = continue_as(&user, &world(&user), &[]);
    assert_eq!(done.code, 0, "{}", done.said());
    let pinned = event(&done, "boot-pinned");
    assert_eq!(pinned["known-by"], json!({ "run": run }));
    assert_eq!(pinned["host-key"], shown(&user));
}

#[test]
fn without_such_a_journal_yes_needs_the_key_and_accepts_no_other() {
    let (alice, bob) = (User::new(), User::new());
    let run = half_way(&alice);
    resume(&alice, &run, &["--abort"]).ends_with(21, &[]);
    let world = world(&alice);
    let key = shown(&alice);
    let done = continue_as(&bob, &world, &["--dry-run"]);
    let reported = &event(&done, "boot-pinned")["known-by"]["certificate"];
    assert!(reported["reported_ms"].as_u64() > reported["signed_ms"].as_u64());
    forget_report(&alice);
    let asks = format!("`--host-key {key}`");
    // What a refused run saw confirms nothing for the next one.
    for _ in 0..2 {
        let done = continue_as(&bob, &world, &[]);
        assert!(event(&done, "boot-pinned")["known-by"].is_null());
        done.ends_with(40, &[&asks, "Nothing was touched"]);
    }
    continue_as(&bob, &world, &["--host-key", OTHER]).ends_with(40, &[&key, OTHER]);
    let done = continue_as(&bob, &world, &["--host-key", &key]);
    assert_eq!(done.code, 0, "{}", done.said());
    assert_eq!(event(&done, "boot-pinned")["known-by"], "operator");
    assert_eq!(event(&done, "header")["host_key"], key.as_str());
}

#[test]
fn another_key_in_the_boot_of_a_journal_here_is_refused() {
    let user = User::new();
    let run = half_way(&user);
    resume(&user, &run, &["--abort"]).ends_with(21, &[]);
    let key = shown(&user);
    machine(&user, |host| host["boot"]["host_key"] = json!(OTHER));
    continue_as(&user, &world(&user), &[]).ends_with(40, &[&key, OTHER, &run]);
}

#[test]
fn a_resumed_run_accepts_only_the_host_key_that_it_has_accepted() {
    let user = User::new();
    let run = half_way(&user);
    let key = shown(&user);
    machine(&user, |host| host["boot"]["host_key"] = json!(OTHER));
    let done = resume(&user, &run, &["--retry"]);
    assert_ne!(done.code, 0, "{}", done.said());
    for words in [OTHER, &key] {
        assert!(done.said().contains(words), "{words}: {}", done.said());
    }
    let configured = |host: &mut Value| assert_eq!(host["disk"]["accepts"], "installer", "{host}");
    machine(&user, configured);
}

#[test]
fn a_resumed_run_accepts_only_the_boot_that_it_has_accepted() {
    let user = User::new();
    let run = half_way(&user);
    let boot = "99999999-9999-4999-8999-999999999999";
    machine(&user, |host| host["boot"]["id"] = json!(boot));
    let done = resume(&user, &run, &["--retry"]);
    assert_ne!(done.code, 0, "{}", done.said());
    assert!(done.said().contains(boot), "{}", done.said());
    let configured = |host: &mut Value| assert_eq!(host["disk"]["accepts"], "installer", "{host}");
    machine(&user, configured);
}
