//! A reimage that is killed anywhere and resumed ends as one that was left alone.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "sweep/mod.rs"]
mod sweep;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use sweep::{CASES, NO_RECORD, RUN, Sample, compare, drive, ends_well, every, try_all, world};
use wreimage_capability::{Effect, Server};
use wreimage_journal::Record;

/// Where the undisturbed run can be killed: at each record, and in each call; of a wait in the first look, one in the middle,
/// and the last.
fn points(folder: &Path) -> Vec<String> {
    let entries = wreimage_journal::read(&folder.join("state"), RUN).unwrap();
    let mut points: Vec<String> = entries
        .iter()
        .flat_map(|entry| {
            [
                format!("before:{}", entry.number),
                format!("after:{}", entry.number),
            ]
        })
        .collect();
    // Every third is as good as all: a record that cannot be written stops the run, whatever it is.
    let full = entries.iter().skip(1).step_by(3);
    points.extend(full.map(|entry| format!("full:{}", entry.number)));
    let text = std::fs::read_to_string(folder.join("performed.json")).unwrap();
    let performed: Vec<(String, u64)> = serde_json::from_str(&text).unwrap();
    let mut by_call: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (index, (_, call)) in performed.iter().enumerate() {
        by_call.entry(*call).or_default().push(index + 1);
    }
    for looks in by_call.values() {
        let mut some = vec![looks[0], looks[looks.len() / 2], looks[looks.len() - 1]];
        some.dedup();
        points.extend(some.iter().map(|look| format!("during:{look}")));
    }
    points
}

/// How many records the file beside the database says to be on stable storage: the larger of its two slots of 64 bytes, each of
/// which begins with 20 digits.
fn flushed(folder: &Path) -> usize {
    let file = folder.join(format!("state/runs/{RUN}/journal.mark"));
    let bytes = std::fs::read(file).unwrap_or_default();
    let slots = bytes.chunks(64).filter_map(|slot| {
        let digits = std::str::from_utf8(slot.get(..20)?).ok()?;
        digits.parse::<usize>().ok()
    });
    slots.max().unwrap_or(0)
}

/// Takes away the end of the last page that was written to the journal's log, as when it did not reach the disk: the record
/// after which it died is lost.
fn tear(folder: &Path, death: &str) -> Result<(), String> {
    let wanted = death.strip_prefix("after:").unwrap().parse::<usize>();
    let Ok(wanted) = wanted else {
        return Err(format!("{death} names no record"));
    };
    // What was flushed cannot be lost; the file beside the database counts it.
    if flushed(folder) >= wanted {
        return Ok(());
    }
    let path = folder.join(format!("state/runs/{RUN}/journal.db-wal"));
    let mut log = std::fs::read(&path).unwrap();
    // The header has the size of a page and the salts, which each page of this log repeats behind its number
    // (https://www.sqlite.org/fileformat2.html#walformat); the zeros behind the last page do not.
    let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
    let salts = log[16..24].to_vec();
    let mut end = 32;
    while log.get(end + 8..end + 16) == Some(&salts[..]) {
        end += 24 + page;
    }
    log[end - 37..end].fill(0);
    std::fs::write(&path, &log).unwrap();
    let left = wreimage_journal::read(&folder.join("state"), RUN)
        .map_err(|error| error.to_string())?
        .len();
    if left + 1 != wanted {
        return Err(format!("{left} records are left"));
    }
    Ok(())
}

/// What is wrong after a death there and a resume, if anything is.
fn dies_and_comes_back(
    death: &str,
    torn: bool,
    undisturbed: &BTreeMap<String, Value>,
    code: i32,
    host: &str,
    options: &[&str],
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let dead = drive(folder.path(), "run", Some(death), host, options);
    // A full disk ends the process in order.
    match dead.status.code() {
        None => {}
        Some(50) if death.starts_with("full:") => {}
        Some(_) => return Err(format!("it was not stopped: {dead:?}")),
    }
    if torn {
        tear(folder.path(), death)?;
    }
    // Some die a second time, soon after they came back, unless they come to their end before.
    let mut early = None;
    if let Some(number) = death
        .strip_prefix("before:")
        .and_then(|it| it.parse::<u64>().ok())
        && number % 3 == 0
    {
        let again = format!("before:{}", number + 5);
        let again = drive(folder.path(), "resume", Some(&again), host, options);
        early = again
            .status
            .code()
            .filter(|code| *code != NO_RECORD)
            .map(|_| again);
    }
    let mut back = early.unwrap_or_else(|| drive(folder.path(), "resume", None, host, options));
    if back.status.code() == Some(NO_RECORD) {
        // Nothing was recorded: nothing has happened, and the run is simply started.
        std::fs::remove_dir_all(folder.path().join("state")).unwrap();
        back = drive(folder.path(), "run", None, host, options);
    }
    if back.status.code() != Some(code) {
        return Err(format!("ended otherwise: {back:?}"));
    }
    compare(undisturbed, &world(folder.path()))
}

#[test]
fn a_run_that_is_killed_anywhere_ends_as_one_that_was_left_alone() {
    let sample = Sample::of_today();
    let mut tried = 0;
    println!("{sample}");
    for (number, (host, options)) in CASES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let calm = drive(folder.path(), "run", None, host, options);
        let code = calm.status.code().unwrap();
        let undisturbed = world(folder.path());
        let some = every(&sample, number, points(folder.path()));
        tried += some.len();
        println!("{host} {options:?}: {} points", some.len());
        try_all(&some, |index, death| {
            // A death right after a record, whose last page did not reach the disk.
            let torn = death.starts_with("after:") && index % 3 == 0;
            dies_and_comes_back(death, torn, &undisturbed, code, host, options)
                .map_err(|why| format!("{why}{}", if torn { " (torn)" } else { "" }))
        });
    }
    println!("{tried} deaths");
    assert!(tried > 300, "only {tried} points");
}

/// What is wrong after a death there and a cleanup, if anything is.
fn dies_and_is_ended(death: &str, host: &str, options: &[&str]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    drive(folder.path(), "run", Some(death), host, options);
    ends_well(folder.path(), host)
}

#[test]
fn a_run_that_is_killed_anywhere_can_be_ended() {
    let sample = Sample::of_today();
    for (number, (host, options)) in CASES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        drive(folder.path(), "run", None, host, options);
        let some = every(&sample.rarer(3), number, points(folder.path()));
        println!("{host} {options:?}: {} points", some.len());
        try_all(&some, |_, death| dies_and_is_ended(death, host, options));
    }
}

/// What a run has recorded is all that the sweep knows of it: the records must be there.
#[test]
fn the_undisturbed_runs_record_every_capability_and_every_class_of_call() {
    let mut called: BTreeSet<String> = BTreeSet::new();
    let mut effects: BTreeSet<Effect> = BTreeSet::new();
    let mut kinds: BTreeSet<&str> = BTreeSet::new();
    for (host, options) in CASES {
        let folder = tempfile::tempdir().unwrap();
        drive(folder.path(), "run", None, host, options);
        for entry in wreimage_journal::read(&folder.path().join("state"), RUN).unwrap() {
            match entry.record {
                Record::Outcome(outcome) => {
                    let (capability, _) = outcome.function.split_once('.').unwrap();
                    called.insert(capability.to_owned());
                    effects.insert(outcome.effect);
                }
                Record::Intent(_) => {
                    kinds.insert("intent");
                }
                Record::Timer(_) => {
                    kinds.insert("timer");
                }
                Record::GuestEnded(_) => {
                    kinds.insert("guest-ended");
                }
                Record::Finished(_) => {
                    kinds.insert("finished");
                }
                _ => {}
            }
        }
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    let missing: Vec<&str> = wreimage_capability::ALL
        .iter()
        .filter(|it| it.server == Server::Provider)
        .map(|it| it.name)
        .filter(|name| !called.contains(*name))
        .collect();
    // No step of a reimage asks by HTTP: what a site plugs in does.
    assert_eq!(missing, ["http"]);
    for effect in [Effect::Read, Effect::Wait, Effect::Write, Effect::Once] {
        assert!(effects.contains(&effect), "{effect:?}: {effects:?}");
    }
}
