//! A reimage that is killed anywhere and resumed an hour later ends as one that was left alone: no process has seen what the
//! machine has done meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "sweep/mod.rs"]
mod sweep;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use sweep::{
    CASES, RUN, Sample, compare, deaths_at_records, dies, drive, ends_well, every, passes, printed,
    timeless, try_all, world,
};

/// How often the time to live of a claim passes, which is six minutes in this lab: longer than any installation.
const PASSES: usize = 10;

/// Words of the question where no old system had answered: the run does not assume that the system which answers now is the new one.
const UNSEEN: &str = "no process has seen the installer";

/// The world without its times, and without what an hour more changes by itself: pending events, and the new system's report to
/// Debmonitor.
fn kept(folder: &Path) -> BTreeMap<String, Value> {
    let mut world = timeless(world(folder));
    world.remove("events");
    world.get_mut("services").unwrap()["debmonitor"]["hosts"] = Value::Null;
    world
}

/// What is wrong after a death there and a late resume, if anything is.
fn comes_back_late(
    death: &str,
    undisturbed: &BTreeMap<String, Value>,
    code: i32,
    host: &str,
    options: &[&str],
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    dies(path, death, host, options)?;
    for _ in 0..PASSES {
        passes(path, host)?;
    }
    let back = drive(path, "resume", None, host, options);
    let is_asked = options.contains(&"new") && printed(&back).contains(UNSEEN);
    match back.status.code() {
        Some(found) if found == code => compare(undisturbed, &kept(path)),
        Some(50) if is_asked => ends_well(path, host),
        _ => Err(format!("ended otherwise: {back:?}")),
    }
}

#[test]
fn a_run_that_is_resumed_late_ends_as_one_that_was_left_alone() {
    let sample = Sample::of_today().rarer(3);
    println!("{sample}");
    let mut tried = 0;
    for (number, (host, options)) in CASES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let calm = drive(folder.path(), "run", None, host, options);
        let code = calm.status.code().unwrap();
        let undisturbed = kept(folder.path());
        let entries = wreimage_journal::read(&folder.path().join("state"), RUN).unwrap();
        let some = every(&sample, number, deaths_at_records(2, entries.len()));
        tried += some.len();
        println!("{host} {options:?}: {} deaths", some.len());
        try_all(&some, |_, death| {
            comes_back_late(death, &undisturbed, code, host, options)
        });
    }
    println!("{tried} deaths");
    assert!(tried > 20, "only {tried}");
}
