//! What went wrong in production, as scenarios: the shipped guest passes each of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::User;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn scenarios() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    folder.canonicalize().unwrap()
}

#[test]
fn the_shipped_guest_passes_the_failures_of_production() {
    let user = User::new();
    let folder = scenarios();
    user.wreimage(&["test", "reimage", folder.to_str().unwrap()])
        .ends_with(0, &["scenarios: ", " passed, 0 failed"]);
}

/// A summary that begins with the failure which the name has, and a failure for each number.
#[test]
fn every_failure_has_a_scenario_that_says_what_it_is_about() {
    let mut shown = BTreeSet::new();
    for entry in scenarios().read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "toml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (failure, _) = name.split_once('-').unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with(&format!("summary = \"{failure}: ")),
            "{name}"
        );
        shown.insert(failure.to_owned());
    }
    let all: BTreeSet<String> = (1..=25).map(|number| format!("F{number:02}")).collect();
    assert_eq!(shown, all);
}
