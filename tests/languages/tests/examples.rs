//! The same runbook in three languages does the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use wreimage_language_tests::{Done, User, guest, root};

const LANGUAGES: [&str; 3] = ["rust", "python", "js"];

/// Its events without what is that run's own: its id, and the guest's name and digest.
fn journal(done: &Done, language: &str) -> Vec<Value> {
    let mut events = done.events();
    let run = events[0]["run"].as_str().unwrap().to_owned();
    for key in ["run", "guest", "guest_digest"] {
        assert!(events[0][key].is_string(), "{}", events[0]);
        events[0][key] = Value::Null;
    }
    for event in &mut events {
        // Where runs are compared, time is that since the first record.
        event["time"] = Value::Null;
        let text = event.to_string();
        let text = text
            .replace(&run, "RUN")
            .replace(&format!("power-cycle-{language}"), "GUEST");
        *event = serde_json::from_str(&text).unwrap();
    }
    events
}

/// `due_ms`, `time_ms` and what the clock told are the same when the lab began at the same time, which it does.
fn same_journals(more: &[&str], code: i32, words: &[&str]) {
    let mut first: Option<Vec<Value>> = None;
    for language in LANGUAGES {
        let done = User::new()
            .run(&guest(&format!("power-cycle-{language}")), more)
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
        &["--default-answer", "yes", "--answer-within", "1m"],
        0,
        &["was power cycled and is up again", "ipmi.clear-boot-device"],
    );
    same_journals(&["--no-prompt"], 0, &["was power cycled"]);
}

#[test]
fn a_refusal_has_the_same_journal_in_every_language() {
    same_journals(
        &["--default-answer", "no", "--answer-within", "1m"],
        0,
        &["was left alone"],
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
