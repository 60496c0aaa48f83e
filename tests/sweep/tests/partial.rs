//! A process dies in a call that has had half of its effect, or the operator cancels while it waits.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "sweep/mod.rs"]
mod sweep;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use sweep::{CASES, RUN, compare, dies, drive, ends_well, try_all, world};
use wreimage_journal::Record;

/// Functions that can have half of their effect.
const HALVES: [&str; 2] = ["conftool.set-pooled", "puppet.first-run"];

/// The first call of each of these functions, by the number in which providers are called.
fn halves(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("performed.json")).unwrap();
    let performed: Vec<(String, u64)> = serde_json::from_str(&text).unwrap();
    let first = |function: &&str| performed.iter().position(|(name, _)| name == function);
    let numbers = HALVES.iter().filter_map(first);
    numbers.map(|index| format!("half:{}", index + 1)).collect()
}

/// The records at which a wait begins, sleeps among them.
fn waits(folder: &Path) -> Vec<String> {
    let entries = wreimage_journal::read(&folder.join("state"), RUN).unwrap();
    let timers = entries
        .iter()
        .filter(|it| matches!(it.record, Record::Timer(_)));
    timers.map(|it| format!("cancel:{}", it.number)).collect()
}

/// What is wrong after a half effect, a death and a resume.
fn resumes(
    half: &str,
    undisturbed: &BTreeMap<String, Value>,
    code: i32,
    host: &str,
    options: &[&str],
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    dies(path, half, host, options)?;
    let back = drive(path, "resume", None, host, options);
    match back.status.code() {
        // Whether a call happened that must not happen twice is asked, and where doubt harms no one it is reported.
        Some(50) => ends_well(path, host),
        Some(20 | 21) => sweep::leaves_nothing_unsaid(path, host, &back),
        back if back == Some(code) => compare(undisturbed, &world(path)),
        _ => Err(format!("ended otherwise: {back:?}")),
    }
}

/// What is wrong after a cancel in a wait.
fn cancels(place: &str, host: &str, options: &[&str]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let ended = drive(folder.path(), "run", Some(place), host, options);
    match ended.status.code() {
        Some(30) => sweep::leaves_nothing_unsaid(folder.path(), host, &ended),
        _ => Err(format!("it was not cancelled: {ended:?}")),
    }
}

#[test]
fn half_an_effect_and_a_cancel_in_a_wait_leave_nothing_behind_unsaid() {
    let mut tried = 0;
    for (host, options) in &CASES {
        let folder = tempfile::tempdir().unwrap();
        let calm = drive(folder.path(), "run", None, host, options);
        let code = calm.status.code().unwrap();
        let undisturbed = world(folder.path());
        // There are few of them: all are tried.
        let (halves, waits) = (halves(folder.path()), waits(folder.path()));
        tried += halves.len() + waits.len();
        println!(
            "{host} {options:?}: {} halves, {} cancels",
            halves.len(),
            waits.len()
        );
        try_all(&halves, |_, half| {
            resumes(half, &undisturbed, code, host, options)
        });
        try_all(&waits, |_, place| cancels(place, host, options));
    }
    println!("{tried} points");
    assert!(tried > 10, "only {tried}");
}
