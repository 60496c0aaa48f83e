//! A process is killed, something changes in the world, and the run is resumed by another process.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "sweep/mod.rs"]
mod sweep;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::sync::Mutex;
use sweep::{
    CASES, NO_DIFFERENCE, RUN, Sample, conclusion, deaths_at_records, dies, drive, every, printed,
    try_all, world,
};
use wreimage_journal::{Entry, Origin, Record};
use wreimage_scenario::Change;

/// The changes of a clock: the lab's is the controller's here.
const OF_CLOCKS: [Change; 2] = [Change::ClockForward, Change::ClockBack];

/// The words of all changes but those of a clock: a new change is played without being named here.
fn all_changes() -> Vec<&'static str> {
    let played = Change::all().filter(|change| !OF_CLOCKS.contains(change));
    played.map(Change::word).collect()
}

/// What is known of a case when its run has been resumed.
struct Resumed<'a> {
    host: &'a str,
    /// The world after a run that was left alone, and its exit code.
    calm: (&'a BTreeMap<String, Value>, i32),
    /// The world right after the change, and after the resume.
    changed: BTreeMap<String, Value>,
    after: BTreeMap<String, Value>,
    /// What the run had done when it died, and by the end of its resume.
    dead: Done,
    resumed: Done,
    output: Output,
}

/// By this a host is restarted to be wiped.
const WIPE: &str = "ipmi.set-power";

/// By this the new system is restarted, or with `--no-pxe` the old one.
const REBOOT: &str = "remote.reboot";

/// A comment on the task of the run: it says how the run ends, and touches no host.
const COMMENT: &str = "phabricator.comment";

/// Changes that are made only in the boot that the run has accepted.
const IN_BOOT: [&str; 8] = [
    "remote.run",
    "remote.reboot",
    "puppet.disable",
    "puppet.enable",
    "puppet.request-certificate",
    "puppet.noop-run",
    "puppet.first-run",
    "puppet.run",
];

/// Changes by the number of their call.
struct Done {
    /// All that were begun: whether the last of them happened may not be known yet.
    begun: BTreeMap<u64, String>,
    /// Those that have succeeded, without the calls that only undo another.
    made: BTreeMap<u64, String>,
}

impl Done {
    /// As the journal of the run has it.
    fn read(folder: &Path) -> Result<Done, String> {
        let entries = wreimage_journal::read(&folder.join("state"), RUN)
            .map_err(|error| error.to_string())?;
        let (mut begun, mut made) = (BTreeMap::new(), BTreeMap::new());
        for entry in entries {
            match entry.record {
                Record::Intent(it) => {
                    begun.insert(it.call, it.function);
                }
                Record::Outcome(it)
                    if it.effect.mutates() && it.origin != Origin::Undo && it.result.is_ok() =>
                {
                    made.insert(it.call, it.function);
                }
                _ => {}
            }
        }
        Ok(Done { begun, made })
    }
}

impl Resumed<'_> {
    fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    fn machine(&self, world: &BTreeMap<String, Value>, at: &str) -> Value {
        let machine = &world["machines"][self.host];
        machine.pointer(at).cloned().unwrap_or_default()
    }

    /// Whether the run had begun a change by this function when it died.
    fn has_begun(&self, function: &str) -> bool {
        self.dead.begun.values().any(|it| it == function)
    }

    /// The changes that the resume has made, but for a comment on the task.
    fn done_since(&self) -> Vec<&str> {
        let made = self.resumed.made.iter();
        made.filter(|(call, function)| {
            !self.dead.made.contains_key(call) && function.as_str() != COMMENT
        })
        .map(|(_, function)| function.as_str())
        .collect()
    }

    /// Whether the resume has made none of these changes.
    fn has_not_done(&self, is_meant: impl Fn(&str) -> bool) -> Result<(), String> {
        let mut done = self.done_since();
        done.retain(|function| is_meant(function));
        self.must(done.is_empty(), &format!("it has done {done:?}"))
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
                self.has_not_done(|_| true)?;
                // It is refused as long as it has changed nothing, fails until it wipes the host, and pauses from there on. It
                // succeeds when only its closing words were left.
                match (self.has_begun(WIPE), self.dead.begun.is_empty()) {
                    (true, _) => self.ends_in(&[0, 50]),
                    (false, false) => self.ends_in(&[0, 20, 21]),
                    (false, true) => self.ends_in(&[40]),
                }
            }
            "lock-broken" => {
                // After its last change a run does not need the lease any more.
                self.has_not_done(|_| true)?;
                self.ends_in(&[0, 50])
            }
            "other-key" | "other-boot" => {
                self.has_not_done(|function| IN_BOOT.contains(&function))?;
                self.ends_in(&[20, 21, 50])
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
            "override-set" | "override-cleared"
                if self.code() != self.calm.1
                    && (self.has_begun(WIPE) || self.has_begun(REBOOT)) =>
            {
                self.ends_in(&[21, 50])?;
                let seen = ["boot override", "booted from its disk", "no system answers"];
                let said = printed(&self.output);
                let is_named = seen.iter().any(|it| conclusion(&said).contains(it));
                self.must(is_named, "what it boots is not noticed")
            }
            "entry-removed" | "override-set" | "override-cleared" => {
                self.ends_in(&[self.calm.1])?;
                let (calm, now) = (self.release(self.calm.0), self.release(&self.after));
                self.must(calm == now, "another release was installed")
            }
            "repooled" => {
                self.ends_in(&[0, 20, 21, 50])?;
                // Until it has read back what it has depooled itself, it is its own change that does not show.
                self.reports("shows otherwise")
                    .or_else(|_| self.reports("pooled again"))
            }
            "agent-disabled" if self.release(&self.changed) == self.release(&self.after) => {
                self.reports("disabled by a colleague")
            }
            // The old system is wiped, with its agent.
            "agent-disabled" => self.ends_in(&[0, 20, 21, 50]),
            // The restart that wipes the old system was about to happen: its agent is not read again.
            "agent-enabled" if self.has_begun(WIPE) => self.ends_in(&[self.calm.1]),
            "agent-enabled" => self.reports("puppet.disable had done was undone"),
            "certificate-revoked" => {
                // The operator is asked first, where a step offers that.
                self.ends_in(&[20, 21, 50])?;
                self.reports("revoked")
            }
            _ => Err("nothing says what must hold after it".to_owned()),
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
    dies(path, death, host, options)?;
    let changed = drive(path, change, None, host, &[]);
    match changed.status.code() {
        Some(0) => {}
        Some(NO_DIFFERENCE) => return Ok(false),
        _ => return Err(format!("nothing was changed: {changed:?}")),
    }
    let changed = world(path);
    let dead = Done::read(path)?;
    let output = drive(path, "resume", None, host, options);
    let resumed = Resumed {
        host,
        calm,
        changed,
        after: world(path),
        dead,
        resumed: Done::read(path)?,
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
    let all = all_changes();
    let none = all.iter().map(|change| (*change, 0));
    let differences: Mutex<BTreeMap<&str, usize>> = Mutex::new(none.collect());
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
        for &change in &all {
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
                *differences.lock().unwrap().get_mut(change).unwrap() += 1;
            }
            Ok(())
        });
    }
    let differences = differences.into_inner().unwrap();
    println!("changes that made a difference: {differences:?}");
    assert!(differences.values().sum::<usize>() > 20, "{differences:?}");
    if sample.is_all() {
        assert!(
            differences.values().all(|count| *count > 0),
            "{differences:?}"
        );
    }
}
