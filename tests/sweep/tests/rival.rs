//! Two controllers, each with a state folder, in one world: the process of the first is killed, and the second begins.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "sweep/mod.rs"]
mod sweep;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use sweep::{
    CASES, RUN, Sample, compare, deaths_at_records, dies, drive, every, passes, printed, try_all,
    world,
};
use wreimage_journal::Record;

/// What a run changes on a host. Claims and time pass on their own.
fn changed_by_runs(folder: &Path) -> BTreeMap<String, Value> {
    let mut world = world(folder);
    world.retain(|part, _| !["lease", "now", "pending"].contains(&part.as_str()));
    world
}

/// A rival, with a state folder that no earlier one has used. Whether the host is new depends on how far the first run has come:
/// the rival's operator does what the refusal or the question says.
fn rival(folder: &Path, mode: &str, host: &str, options: &[&str]) -> Output {
    let begin = |options: &[&str]| {
        let _ = std::fs::remove_dir_all(folder.join("rival"));
        drive(folder, mode, None, host, options)
    };
    let first = begin(options);
    let said = printed(&first);
    let said = said.lines().next().unwrap_or_default();
    let mut others: Vec<&str> = options.to_vec();
    if said.contains("does not know") {
        others.push("new");
    } else if said.contains("it is not new") {
        others.retain(|option| *option != "new");
    } else {
        return first;
    }
    begin(&others)
}

/// What is wrong when a rival begins after a death there, or else whether the run held the lease and was taken over.
fn is_rivalled(death: &str, host: &str, options: &[&str]) -> Result<bool, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    dies(path, death, host, options)?;
    let entries = wreimage_journal::read(&path.join("state"), RUN).unwrap();
    let holds = entries
        .iter()
        .any(|it| matches!(it.record, Record::LeaseAcquired { .. }));
    let is_changed = entries
        .iter()
        .any(|it| matches!(it.record, Record::Intent(_)));
    if !holds {
        return match is_changed {
            true => Err("it has changed something without the lease".to_owned()),
            false => Ok(false),
        };
    }
    // It died in its last words: the host is free.
    let is_released = entries
        .iter()
        .any(|it| matches!(it.record, Record::LeaseReleased { .. }));
    if is_released {
        return Ok(false);
    }
    for when in ["of a fresh claim", "of a stale claim"] {
        let before = changed_by_runs(path);
        let rival = rival(path, "rival", host, options);
        if rival.status.code() != Some(40) || changed_by_runs(path) != before {
            return Err(format!("a rival {when} was not refused: {rival:?}"));
        }
        passes(path, host)?;
    }
    let taken = rival(path, "take-over", host, options);
    // It may wait for a person where a step fails, as any run does: the host is its own all the same.
    if !matches!(taken.status.code(), Some(0 | 50)) {
        return Err(format!("the take-over did not come to its end: {taken:?}"));
    }
    let after = changed_by_runs(path);
    let resumed = drive(path, "resume", None, host, options);
    if resumed.status.code() != Some(50) {
        return Err(format!("the first run was not paused: {resumed:?}"));
    }
    let ended = drive(path, "cleanup", None, host, options);
    // With 0 when only its closing words were left.
    if !matches!(ended.status.code(), Some(0 | 20 | 21 | 30)) {
        return Err(format!("the first run cannot be ended: {ended:?}"));
    }
    compare(&without_own(after), &without_own(changed_by_runs(path)))
        .map_err(|what| format!("the first run has changed the host of the second: {what}"))?;
    Ok(true)
}

/// A run may end its own downtime and silence, and comment on its own task, also when it has lost the host. Those of the other
/// run and of people stay.
fn without_own(mut world: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let services = world.get_mut("services").unwrap();
    for monitored in services["icinga"]["hosts"]
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        drop_of_first(&mut monitored["downtimes"], "owner");
    }
    drop_of_first(&mut services["alertmanager"]["silences"], "owner");
    for task in services["phabricator"]["tasks"]
        .as_object_mut()
        .unwrap()
        .values_mut()
    {
        drop_of_first(&mut task["comments"], "marker");
    }
    world
}

/// Drops the objects that the first run has marked with its name.
fn drop_of_first(objects: &mut Value, marker: &str) {
    let is_other = |object: &Value| !object[marker].as_str().unwrap().contains(RUN);
    objects.as_array_mut().unwrap().retain(is_other);
}

#[test]
fn a_second_controller_changes_nothing_without_a_take_over_and_the_first_nothing_after_it() {
    let sample = Sample::of_today().rarer(3);
    println!("{sample}");
    let (alone, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for (number, (host, options)) in CASES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        drive(folder.path(), "run", None, host, options);
        let entries = wreimage_journal::read(&folder.path().join("state"), RUN).unwrap();
        let some = every(&sample, number, deaths_at_records(2, entries.len()));
        println!("{host} {options:?}: {} deaths", some.len());
        try_all(&some, |_, death| {
            let count = match is_rivalled(death, host, options)? {
                true => &taken,
                false => &alone,
            };
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
    }
    let (alone, taken) = (alone.into_inner(), taken.into_inner());
    println!("{alone} deaths without the lease, {taken} take-overs");
    assert!(alone + taken > 20, "only {alone} and {taken}");
    assert!(taken > 0, "no run was taken over");
}
