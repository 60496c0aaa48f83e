//! How long a list of 10,000 runs takes. Run by `cargo bench --workspace --bench list`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout
)]

use jiff::Timestamp;
use std::path::Path;
use std::time::{Duration, Instant};
use wreimage_journal::{
    Ending, Entry, Header, Level, Log, Mode, OnFailure, Record, RecordedEffects, RunDatabase,
    RunOutcome,
};
use wreimage_runs::RunStore;

const RUNS: u32 = 10_000;
/// So many of them wait for an operator: they are open, and whether a process drives them is asked anew each time.
const PAUSED: u32 = 50;
const ROUNDS: usize = 10;
/// How old a journal must be before a run that has not ended is indexed.
const SETTLED: Duration = Duration::from_secs(3);

fn make(state: &Path, index: u32) {
    let word = str::to_owned;
    let second = i64::from(index);
    let time = Timestamp::from_second(1_767_600_000 + second * 60).unwrap();
    let host = format!("host{}", 1000 + index % 500);
    let run = format!("{}-{host}-{index:08x}", time.strftime("%Y%m%dT%H%M%S"));
    let header = Header {
        format: 1,
        run: run.clone(),
        host,
        batch: None,
        site: word("dc1"),
        mode: Mode::Live,
        policy: Some("0".repeat(64)),
        dry_run: false,
        resumable: true,
        guest: word("reimage"),
        guest_version: word("0.1.0"),
        guest_digest: "0".repeat(64),
        plugs: Vec::new(),
        options: vec![(word("os"), word("bookworm"))],
        on_failure: OnFailure::Undo,
        actor: word("somebody (uid 1000)"),
        controller: word("controller1001"),
        reason: Some(word("the disks were replaced")),
        absent: Vec::new(),
        host_key: None,
        lock: Some(word("dc1/host")),
        effects: RecordedEffects::Digest("0".repeat(64)),
        wreimage: word("0.1.0"),
    };
    let last = if index < PAUSED {
        Record::Paused {
            why: word("a question has no answer"),
        }
    } else {
        Record::Finished(Ending {
            outcome: RunOutcome::Success,
            summary: word("Debian bookworm is installed"),
            touched: true,
            left: Vec::new(),
            invalid_options: false,
        })
    };
    let step = |index: u32| Record::StepBegan {
        phase: word("install"),
        name: format!("Step {index}"),
        expected_ms: None,
    };
    let note = Record::Note {
        level: Level::Warning,
        text: word("the agent was disabled"),
        by_host: false,
        component: None,
    };
    let records = [Record::Header(Box::new(header))]
        .into_iter()
        .chain((0..20).map(step))
        .chain([note, last]);
    let journal = RunDatabase::create(state, &run).unwrap();
    for (number, record) in (1..).zip(records) {
        let entry = Entry {
            number,
            time,
            record,
        };
        journal.append(&entry, false).unwrap();
    }
}

fn main() {
    // In memory where that is possible: what is measured is the list, not the disk.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    };
    let began = Instant::now();
    for index in 0..RUNS {
        make(folder.path(), index);
    }
    println!("{RUNS} runs made in {:.1} s", began.elapsed().as_secs_f64());
    std::thread::sleep(SETTLED);
    let store = RunStore::new(folder.path());
    let list = || {
        let began = Instant::now();
        let listed = store.list().unwrap();
        assert_eq!(listed.len(), RUNS as usize);
        assert!(listed.iter().all(|it| matches!(it.standing, Ok(Some(_)))));
        began.elapsed().as_secs_f64() * 1000.0
    };
    println!("list of {RUNS} runs without an index: {:.0} ms", list());
    std::thread::sleep(SETTLED);
    println!("list of {RUNS} runs, index refreshed: {:.1} ms", list());
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| list()).collect();
    times.sort_by(f64::total_cmp);
    let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
    let slowest = times.last().copied().unwrap_or_default();
    println!(
        "list of {RUNS} runs by the index: median {median:.1} ms, slowest {slowest:.1} ms (at most 50 ms)"
    );
}
