//! The same runbook in three languages does the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use wreimage_language_tests::{Done, User, guest, root};

const LANGUAGES: [&str; 3] = ["rust", "python", "js"];

/// Its events without what is that run's own: its id, the guest's name and digest, and the functions that it imports (the tools of
/// Python and JavaScript import all of an interface, those of Rust what is called).
fn journal(done: &Done, language: &str) -> Vec<Value> {
    let mut events = done.events();
    let own = |key: &str| events[0][key].as_str().unwrap().to_owned();
    let (run, digest) = (own("run"), own("guest_digest"));
    for key in ["run", "guest", "guest_digest", "effects"] {
        events[0][key] = Value::Null;
    }
    for event in &mut events {
        let text = event.to_string();
        let text = text
            .replace(&run, "RUN")
            .replace(&digest, "DIGEST")
            .replace(&format!("power-cycle-{language}"), "GUEST");
        *event = serde_json::from_str(&text).unwrap();
    }
    events
}

/// All times are the same as well: every lab begins at the same time.
fn same_journals(lab: &str, more: &[&str], code: i32, words: &[&str]) {
    let mut first: Option<Vec<Value>> = None;
    for language in LANGUAGES {
        let done = User::new()
            .run_in(lab, &guest(&format!("power-cycle-{language}")), more)
            .ends_with(code, words);
        let events = journal(&done, language);
        assert!(events.len() > 8, "{}", done.said());
        match &first {
            None => first = Some(events),
            Some(first) => {
                for (rust, other) in first.iter().zip(&events) {
                    assert_eq!(rust, other, "{language}");
                }
                assert_eq!(first.len(), events.len(), "{language}");
            }
        }
    }
}

#[test]
fn a_power_cycle_has_the_same_journal_in_every_language() {
    same_journals(
        "--lab",
        &["--default-answer", "yes", "--answer-within", "1m"],
        0,
        &["was power cycled and is up again", "ipmi.clear-boot-device"],
    );
    same_journals("--lab", &["--no-prompt"], 0, &["was power cycled"]);
}

#[test]
fn a_refusal_has_the_same_journal_in_every_language() {
    same_journals(
        "--lab",
        &["--default-answer", "no", "--answer-within", "1m"],
        0,
        &["was left alone"],
    );
}

#[test]
fn a_failure_is_asked_about_in_the_same_words_in_every_language() {
    // The machine is off: the first step can be left out, the next cannot, because the runbook needs what it returns.
    let user = User::new();
    let world = user.wreimage(&["lab", "show"]).out;
    let machine = "[machine.host1001]\n";
    assert!(world.contains(machine), "{world}");
    let file = user.home.path().join("world.toml");
    let off = format!("{machine}power = \"off\"\n");
    std::fs::write(&file, world.replace(machine, &off)).unwrap();
    same_journals(
        &format!("--lab={}", file.display()),
        &[
            "--no-prompt",
            "--on-failure",
            "ask",
            "--default-answer",
            "skip",
            "--default-answer",
            "abort",
            "--answer-within",
            "1m",
        ],
        40,
        &["the operator left it out", "Read the boot id"],
    );
}

#[test]
fn the_scenarios_hold_in_every_language() {
    let scenarios = root().join("guests/examples/scenarios");
    let scenarios: Vec<String> = std::fs::read_dir(scenarios)
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    assert!(scenarios.len() >= 3);
    for language in LANGUAGES {
        let guest = guest(&format!("power-cycle-{language}"));
        let mut arguments = vec!["test", guest.as_str()];
        arguments.extend(scenarios.iter().map(String::as_str));
        User::new().wreimage(&arguments).ends_with(0, &[]);
    }
}
