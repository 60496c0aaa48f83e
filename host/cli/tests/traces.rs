//! Traces of the program: what is asked for, and nothing unasked.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{User, guests};

const WANTED: [&str; 3] = ["wreimage.run{", "wreimage.call{", "close time.busy="];

fn run() -> Vec<String> {
    let guest = guests().join("reimage.wasm").display().to_string();
    let words = [
        "run", &guest, "--lab", "--host", "host1001", "--os", "bullseye", "--yes", "host1001",
    ];
    words.map(str::to_owned).to_vec()
}

fn stderr(user: &User, more: &[&str], environment: &[(&str, &str)]) -> String {
    let words = run();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.extend(more);
    user.with(&words, environment).ends_with(0, &[]).err
}

#[test]
fn spans_of_runs_calls_and_requests_are_printed_when_they_are_asked_for() {
    let user = User::new();
    let quiet = stderr(&user, &[], &[]);
    assert!(WANTED.iter().all(|it| !quiet.contains(it)), "{quiet}");
    let asked = stderr(&user, &["-v"], &[]);
    for wanted in WANTED {
        assert!(asked.contains(wanted), "{wanted}: {asked}");
    }
    assert!(asked.contains("function=ipmi.set-power"), "{asked}");
    assert!(!asked.contains("wreimage.provider{"), "{asked}");
    let more = stderr(&user, &[], &[("WREIMAGE_LOG", "wreimage_engine=debug")]);
    assert!(more.contains("wreimage.provider{"), "{more}");
}

#[test]
fn a_variable_that_cannot_be_read_is_a_usage_error() {
    let user = User::new();
    let words = run();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let environment = [("WREIMAGE_LOG", "wreimage=loud")];
    user.with(&words, &environment)
        .ends_with(64, &["WREIMAGE_LOG=wreimage=loud"]);
    assert!(user.runs().is_empty());
}
