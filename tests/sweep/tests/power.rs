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
use std::path::Path;
use std::process::Command;
use sweep::{
    CASES, NO_RECORD, RUN, Sample, compare, drive, every, program, timeless, try_all, world,
};
use wreimage_journal::Record;

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
            let is_changed = has_changed(&state)?;
            Disk::of(&trace, &state).lose_power(survives);
            resumes(folder.path(), host, options, code, is_changed)
                .and_then(|()| compare(&undisturbed, &timeless(world(folder.path()))))
                .map_err(|why| format!("{why} ({survives:?} survives)"))
        });
    }
    println!("{tried} losses of power");
    assert!(tried > 60, "only {tried}");
}

/// Whether the run has begun to change something.
fn has_changed(state: &Path) -> Result<bool, String> {
    let entries = wreimage_journal::read(state, RUN).map_err(|error| error.to_string())?;
    let mut records = entries.into_iter().map(|entry| entry.record);
    Ok(records.any(|record| matches!(record, Record::Intent(_))))
}

/// Resumes the run, or starts it when nothing of it is left, which may only be while it has changed nothing.
fn resumes(
    folder: &Path,
    host: &str,
    options: &[&str],
    code: i32,
    is_changed: bool,
) -> Result<(), String> {
    let journal = folder.join(format!("state/runs/{RUN}/journal.db"));
    let resumed = journal
        .exists()
        .then(|| drive(folder, "resume", None, host, options))
        .filter(|resumed| resumed.status.code() != Some(NO_RECORD));
    let back = match resumed {
        Some(resumed) => resumed,
        None if is_changed => return Err("nothing is left of its journal".to_owned()),
        None => restart(folder, host, options),
    };
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
