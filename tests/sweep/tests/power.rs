//! A reimage whose controller loses power anywhere ends as one that was left alone, and repeats nothing that must not be
//! repeated: what the process had not synced by then is dropped from its state folder.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "power/disk.rs"]
mod disk;
#[path = "sweep/mod.rs"]
mod sweep;
#[path = "power/trace.rs"]
mod trace;

use disk::{Disk, Survives};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use sweep::{CASES, RUN, Sample, compare, drive, every, program, try_all, world};

/// What may be left of the writes that were not synced.
const LOSSES: [Survives; 4] = [
    Survives::Nothing,
    Survives::FirstHalf,
    Survives::EverySecond,
    Survives::TornLast,
];

/// Runs the program under strace until it dies; what it did to its files.
fn traced(folder: &Path, death: &str, host: &str, options: &[&str]) -> Result<String, String> {
    let trace = folder.join("trace");
    let output = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-xx",
            "-s",
            "16777216",
            "-e",
            trace::CALLS,
            "-o",
        ])
        .arg(&trace)
        .arg(program())
        .arg(folder)
        .args(["run", death, host])
        .args(options)
        .output()
        .map_err(|error| format!("strace cannot be started: {error}"))?;
    // strace ends as what it has traced: killed.
    if output.status.code().is_some() {
        return Err(format!("it was not stopped: {output:?}"));
    }
    std::fs::read_to_string(&trace).map_err(|error| error.to_string())
}

#[test]
fn a_run_whose_controller_loses_power_anywhere_ends_as_one_that_was_left_alone() {
    let sample = Sample::of_today();
    let mut tried = 0;
    for (number, (host, options)) in CASES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let calm = drive(folder.path(), "run", None, host, options);
        let code = calm.status.code().unwrap();
        let undisturbed = timeless(world(folder.path()));
        let entries = wreimage_journal::read(&folder.path().join("state"), RUN).unwrap();
        // After the last record the run is over.
        let points: Vec<String> = (1..entries.len())
            .map(|number| format!("after:{number}"))
            .collect();
        let some = every(&sample.rarer(3), number, points);
        tried += some.len();
        println!("{host} {options:?}: {} losses of power", some.len());
        try_all(&some, |index, death| {
            let survives = LOSSES[(index + sample.offset()) % LOSSES.len()];
            let folder = tempfile::tempdir().unwrap();
            let trace = traced(folder.path(), death, host, options)?;
            let state = folder.path().join("state");
            Disk::of(&trace, &state).lose_power(survives);
            resumes(folder.path(), host, options, code)
                .and_then(|()| compare(&undisturbed, &timeless(world(folder.path()))))
                .map_err(|why| format!("{why} ({survives:?} survives)"))
        });
    }
    println!("{tried} losses of power");
    assert!(tried > 60, "only {tried}");
}

/// The world without the times of day: a pause of which no record is left is begun anew.
fn timeless(mut world: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    world.values_mut().for_each(forget_times);
    world
}

fn forget_times(value: &mut Value) {
    /// Milliseconds since 1970 of a day before that of every lab.
    const BEFORE: u64 = 1_700_000_000_000;
    match value {
        Value::Number(number) if number.as_u64().is_some_and(|it| it > BEFORE) => {
            *value = Value::Null;
        }
        Value::Object(map) => map.values_mut().for_each(forget_times),
        Value::Array(list) => list.iter_mut().for_each(forget_times),
        _ => {}
    }
}

/// Resumes the run, or starts it when nothing of it is left.
fn resumes(folder: &Path, host: &str, options: &[&str], code: i32) -> Result<(), String> {
    let journal = folder.join(format!("state/runs/{RUN}/journal.db"));
    let mut back = if journal.exists() {
        drive(folder, "resume", None, host, options)
    } else {
        restart(folder, host, options)
    };
    if back.status.code() == Some(3) {
        back = restart(folder, host, options);
    }
    match back.status.code() {
        found if found == Some(code) => Ok(()),
        _ => Err(format!("ended otherwise: {back:?}")),
    }
}

/// Nothing was recorded: the run is started.
fn restart(folder: &Path, host: &str, options: &[&str]) -> std::process::Output {
    let _ = std::fs::remove_dir_all(folder.join("state"));
    drive(folder, "run", None, host, options)
}
