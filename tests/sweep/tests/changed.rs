//! A process is killed, something changes in the world, and the run is resumed by another process.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "sweep/mod.rs"]
mod sweep;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;
use std::sync::Mutex;
use sweep::{CASES, RUN, Sample, deaths_at_records, drive, every, printed, try_all, world};
use wreimage_journal::{Entry, Record};

/// The changes, but for those of a clock: the lab's is the controller's here.
const CHANGES: [&str; 12] = [
    "protected",
    "decommissioning",
    "other-serial",
    "entry-replaced",
    "entry-removed",
    "override-set",
    "override-cleared",
    "repooled",
    "agent-disabled",
    "agent-enabled",
    "certificate-revoked",
    "lock-broken",
];

/// Exit code of a change that makes no difference.
const NO_DIFFERENCE: i32 = 4;

/// What is known of a case when its run has been resumed.
struct Resumed<'a> {
    host: &'a str,
    /// The world after a run that was left alone, and its exit code.
    calm: (&'a BTreeMap<String, Value>, i32),
    /// The world right after the change, and after the resume.
    changed: BTreeMap<String, Value>,
    after: BTreeMap<String, Value>,
    /// How many restarts the run had begun when it died, and how many have happened by the end of its resume.
    restarts: (usize, usize),
    output: Output,
}

const RESTARTS: [&str; 2] = ["ipmi.set-power", "remote.reboot"];

/// The restarts that the run has begun: whether the last of them happened may not be known yet.
fn begun(folder: &Path) -> usize {
    let calls = |record: Record| match record {
        Record::Intent(it) if RESTARTS.contains(&it.function.as_str()) => Some(it.call),
        _ => None,
    };
    count(folder, calls)
}

/// The restarts that have happened.
fn happened(folder: &Path) -> usize {
    let calls = |record: Record| match record {
        Record::Outcome(it) if RESTARTS.contains(&it.function.as_str()) => {
            it.result.is_ok().then_some(it.call)
        }
        _ => None,
    };
    count(folder, calls)
}

/// The number of different calls in the journal.
fn count(folder: &Path, calls: impl Fn(Record) -> Option<u64>) -> usize {
    let entries = wreimage_journal::read(&folder.join("state"), RUN).unwrap_or_default();
    let calls: BTreeSet<u64> = entries
        .into_iter()
        .filter_map(|entry| calls(entry.record))
        .collect();
    calls.len()
}

impl Resumed<'_> {
    fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    fn machine(&self, world: &BTreeMap<String, Value>, at: &str) -> Value {
        let machine = &world["machines"][self.host];
        machine.pointer(at).cloned().unwrap_or_default()
    }

    fn is_restarted(&self) -> bool {
        self.restarts.0 > 0
    }

    fn release(&self, world: &BTreeMap<String, Value>) -> Value {
        self.machine(world, "/disk/release")
    }

    fn must(&self, holds: bool, what: &str) -> Result<(), String> {
        match holds {
            true => Ok(()),
            false => Err(format!("{what}: {}", printed(&self.output))),
        }
    }

    fn ends_in(&self, codes: &[i32]) -> Result<(), String> {
        let expected = format!("its exit code is not one of {codes:?}");
        self.must(codes.contains(&self.code()), &expected)
    }

    fn reports(&self, words: &str) -> Result<(), String> {
        let is_reported = printed(&self.output).contains(words);
        self.must(is_reported, &format!("`{words}` is not reported"))
    }

    /// What must hold after this change.
    fn judge(&self, change: &str) -> Result<(), String> {
        match change {
            "protected" | "decommissioning" | "other-serial" => {
                self.ends_in(&[0, 20, 21, 40, 50])?;
                let (before, now) = self.restarts;
                self.must(now <= before, "the machine was restarted all the same")
            }
            "lock-broken" => {
                // After its last change a run does not need the lease any more.
                self.ends_in(&[0, 50])?;
                let (before, now) = self.restarts;
                self.must(now <= before, "the machine was restarted without the lease")
            }
            "entry-replaced" => {
                let entry = |world: &BTreeMap<String, Value>| {
                    world["server"]["entries"][self.host]["run"].clone()
                };
                let (before, now) = (entry(&self.changed), entry(&self.after));
                self.must(before == now, "the entry of another run is gone")?;
                self.ends_in(&[20, 21, 50])
            }
            // By then the machine is on its way: what it boots is noticed.
            "override-set" | "override-cleared" if self.code() != 0 && self.is_restarted() => {
                self.ends_in(&[21, 50])?;
                let seen = ["boot override", "booted from its disk", "no system answers"];
                let is_named = seen.iter().any(|it| printed(&self.output).contains(it));
                self.must(is_named, "what it boots is not noticed")
            }
            "entry-removed" | "override-set" | "override-cleared" => {
                self.ends_in(&[self.calm.1])?;
                let (calm, now) = (self.release(self.calm.0), self.release(&self.after));
                self.must(calm == now, "another release was installed")
            }
            "repooled" => {
                self.ends_in(&[0, 20, 21, 50])?;
                self.reports("pooled again")
            }
            "agent-disabled" if self.release(&self.changed) == self.release(&self.after) => {
                self.reports("disabled by a colleague")
            }
            "agent-enabled" => self.reports("puppet.disable had done was undone"),
            "certificate-revoked" => {
                // The operator is asked first, where a step offers that.
                self.ends_in(&[20, 21, 50])?;
                self.reports("revoked")
            }
            _ => self.ends_in(&[0, 20, 21, 50]),
        }
    }
}

/// The record of the last look at what a change concerns: of what comes later, no run can know.
fn last_look(entries: &[Entry], change: &str) -> u64 {
    let look = match change {
        "repooled" => "conftool.get-objects",
        "agent-disabled" => "puppet.get-state",
        "certificate-revoked" => "puppet-ca.get-certificate",
        _ => return u64::MAX,
    };
    let is_look =
        |entry: &&Entry| matches!(&entry.record, Record::Outcome(it) if it.function == look);
    let last = entries.iter().rev().find(is_look);
    last.map_or(0, |entry| entry.number)
}

/// Kills the run there, changes the world, and resumes it; whether the change made a difference.
fn changes(
    death: &str,
    change: &str,
    calm: (&BTreeMap<String, Value>, i32),
    host: &str,
    options: &[&str],
) -> Result<bool, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let dead = drive(path, "run", Some(death), host, options);
    if dead.status.code().is_some() {
        return Err(format!("it was not stopped: {dead:?}"));
    }
    let changed = drive(path, change, None, host, &[]);
    match changed.status.code() {
        Some(0) => {}
        Some(NO_DIFFERENCE) => return Ok(false),
        _ => return Err(format!("nothing was changed: {changed:?}")),
    }
    let changed = world(path);
    let before = begun(path);
    let output = drive(path, "resume", None, host, options);
    let resumed = Resumed {
        host,
        calm,
        changed,
        after: world(path),
        restarts: (before, happened(path)),
        output,
    };
    resumed.judge(change)?;
    if resumed.code() == 50 {
        ends(path, host, change)?;
    }
    Ok(true)
}

/// A run that has paused can be ended, and that removes nothing of another run.
fn ends(path: &Path, host: &str, change: &str) -> Result<(), String> {
    let ended = drive(path, "cleanup", None, host, &[]);
    if !matches!(ended.status.code(), Some(0 | 20 | 21 | 30)) {
        return Err(format!("it cannot be ended: {ended:?}"));
    }
    if change == "entry-replaced" && world(path)["server"]["entries"][host].is_null() {
        return Err("its end has withdrawn the entry of another run".to_owned());
    }
    Ok(())
}

#[test]
fn a_run_that_is_killed_notices_what_has_changed_meanwhile() {
    let sample = Sample::of_today().rarer(6);
    let differences: Mutex<BTreeMap<&str, usize>> = Mutex::default();
    println!("{sample}");
    for (number, (host, options)) in CASES.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let code = drive(folder.path(), "run", None, host, options)
            .status
            .code();
        let undisturbed = world(folder.path());
        let calm = (&undisturbed, code.unwrap());
        let entries = wreimage_journal::read(&folder.path().join("state"), RUN).unwrap();
        // With the header alone there is no run yet, and the run of a release is judged by its own system.
        let is_reimage = !options.contains(&"no-pxe");
        let mut points = Vec::new();
        for change in CHANGES {
            let last = last_look(&entries, change).min(entries.len() as u64);
            let deaths = deaths_at_records(2, usize::try_from(last).unwrap());
            if is_reimage || !change.starts_with("agent-") {
                points.extend(deaths.iter().map(|death| format!("{death} {change}")));
            }
        }
        let some = every(&sample, number, points);
        println!("{host} {options:?}: {} deaths", some.len());
        try_all(&some, |_, point| {
            let (death, change) = point.split_once(' ').unwrap();
            if changes(death, change, calm, host, options)? {
                let change = CHANGES.iter().find(|it| **it == change).unwrap();
                *differences.lock().unwrap().entry(change).or_default() += 1;
            }
            Ok(())
        });
    }
    let differences = differences.into_inner().unwrap();
    println!("changes that made a difference: {differences:?}");
    assert!(differences.values().sum::<usize>() > 20, "{differences:?}");
}
