//! The list of runs and its index.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use jiff::Timestamp;
use std::fs;
use std::path::Path;
use wreimage_journal::{
    Ending, Entry, Header, Log, Mode, OnFailure, Process, Record, RecordedEffects, RunDatabase,
    RunOutcome,
};
use wreimage_runs::{ErrorKind, RunState, RunStore, RunsError, Standing};

const INDEX: &str = "runs.index";
const BATCH: &str = "20260101T000000-batch-00000001";

fn header(run: &str, host: &str, batch: Option<&str>) -> Header {
    let word = str::to_owned;
    Header {
        format: 1,
        run: word(run),
        host: word(host),
        batch: batch.map(word),
        site: word("dc1"),
        mode: Mode::Live,
        policy: None,
        dry_run: false,
        resumable: true,
        guest: word("reimage"),
        guest_version: word("0.1.0"),
        guest_digest: word("d1"),
        plugs: Vec::new(),
        options: Vec::new(),
        on_failure: OnFailure::Undo,
        actor: word("somebody"),
        controller: word("controller1001"),
        reason: None,
        absent: Vec::new(),
        host_key: None,
        lock: None,
        effects: RecordedEffects::Digest(word("e1")),
        wreimage: word("0.1.0"),
    }
}

fn ended(outcome: RunOutcome) -> Record {
    Record::Finished(Ending {
        outcome,
        summary: String::new(),
        touched: true,
        left: Vec::new(),
        invalid_options: false,
    })
}

fn paused() -> Record {
    Record::Paused {
        why: "a question has no answer".to_owned(),
    }
}

/// Makes the journal of a run of that day, and returns its id. The journal is still open: its process drives the run.
fn begin(state: &Path, day: u8, batch: Option<&str>, more: Vec<Record>) -> (String, RunDatabase) {
    let host = format!("host100{day}");
    let run = format!("202601{day:02}T000000-{host}-00000001");
    let journal = RunDatabase::create(state, &run).unwrap();
    let records = [Record::Header(Box::new(header(&run, &host, batch)))];
    append(&journal, 1, records.into_iter().chain(more));
    (run, journal)
}

fn append(journal: &RunDatabase, first: u64, records: impl IntoIterator<Item = Record>) {
    for (number, record) in (first..).zip(records) {
        let time = Timestamp::from_second(1).unwrap();
        let entry = Entry {
            number,
            time,
            record,
        };
        journal.append(&entry, false).unwrap();
    }
}

fn make(state: &Path, day: u8, last: Record) -> String {
    begin(state, day, None, vec![last]).0
}

fn standings(store: &RunStore) -> Vec<Standing> {
    let listed = store.list().unwrap();
    listed
        .into_iter()
        .map(|it| it.standing.unwrap().unwrap())
        .collect()
}

fn states(store: &RunStore) -> Vec<RunState> {
    standings(store).iter().map(|it| it.state).collect()
}

#[test]
fn a_list_by_the_index_is_the_list_by_the_journals() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let store = RunStore::new(state);
    assert!(states(&store).is_empty());
    make(state, 1, ended(RunOutcome::Success));
    make(state, 2, ended(RunOutcome::Failed));
    let first = standings(&store);
    let index = fs::read(state.join(INDEX)).unwrap();
    assert_eq!(standings(&store), first);
    // Nothing has changed: the index is not written again.
    let changed = |at: &Path| fs::metadata(at).unwrap().modified().unwrap();
    let before = changed(&state.join(INDEX));
    assert_eq!(standings(&store), first);
    assert_eq!(changed(&state.join(INDEX)), before);
    assert_eq!(fs::read(state.join(INDEX)).unwrap(), index);
}

#[test]
fn an_index_that_is_missing_old_or_damaged_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let store = RunStore::new(state);
    make(state, 1, ended(RunOutcome::Success));
    let wanted = standings(&store);
    let file = state.join(INDEX);
    let whole = fs::read_to_string(&file).unwrap();
    // Were it believed, the run would have failed.
    let lying = whole.replace("success", "failed");
    let of_another_version = whole.replacen("runs 1", "runs 0", 1);
    let cut = whole.get(..whole.len() - 10).unwrap().to_owned();
    for bytes in [
        lying.into_bytes(),
        of_another_version.into_bytes(),
        cut.into_bytes(),
        b"\xff\xfe\n[]".to_vec(),
        Vec::new(),
    ] {
        fs::write(&file, bytes).unwrap();
        assert_eq!(standings(&store), wanted);
        assert_eq!(fs::read_to_string(&file).unwrap(), whole);
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(standings(&store), wanted);
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
}

#[test]
fn what_the_index_has_comes_from_it_while_the_journal_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let store = RunStore::new(state);
    let run = make(state, 1, ended(RunOutcome::Success));
    let wanted = states(&store);
    let journal = state.join("runs").join(&run).join("journal.db");
    // What is in the journal is overwritten in place, and its time set back: only somebody who reads it notices.
    let length = fs::metadata(&journal).unwrap().len();
    let before = fs::metadata(&journal).unwrap().modified().unwrap();
    fs::write(&journal, vec![0; usize::try_from(length).unwrap()]).unwrap();
    let file = fs::File::options().write(true).open(&journal).unwrap();
    file.set_modified(before).unwrap();
    assert_eq!(states(&store), wanted);
    // Another time: it is read again.
    file.set_modified(std::time::SystemTime::now()).unwrap();
    let listed = store.list().unwrap();
    assert!(matches!(listed.as_slice(), [one] if one.standing.is_err()));
}

#[test]
fn a_run_that_changes_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let store = RunStore::new(state);
    let (run, journal) = begin(state, 1, None, Vec::new());
    assert_eq!(states(&store), [RunState::Running]);
    append(&journal, 2, [paused()]);
    drop(journal);
    assert_eq!(states(&store), [RunState::Paused]);
    assert_eq!(states(&store), [RunState::Paused]);
    let (journal, entries) = RunDatabase::resume(state, &run).unwrap();
    assert_eq!(states(&store), [RunState::Running]);
    append(
        &journal,
        entries.len() as u64 + 1,
        [ended(RunOutcome::Warnings)],
    );
    // Its last record is in the log of its writes.
    assert_eq!(states(&store), [RunState::Ended(RunOutcome::Warnings)]);
    drop(journal);
    assert_eq!(states(&store), [RunState::Ended(RunOutcome::Warnings)]);
    store.remove(&run);
    assert!(states(&store).is_empty());
}

#[test]
fn the_runs_of_a_batch_are_found_with_and_without_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let store = RunStore::new(state);
    make(state, 1, ended(RunOutcome::Success));
    let last = || vec![ended(RunOutcome::Success)];
    let (second, _) = begin(state, 2, Some(BATCH), last());
    let (third, _) = begin(state, 3, Some(BATCH), vec![paused()]);
    let of_batch = || -> Vec<String> {
        let runs = store.runs_of_batch(BATCH).unwrap();
        runs.into_iter().map(|(run, _)| run).collect()
    };
    assert_eq!(of_batch(), [&*second, &third]);
    store.list().unwrap();
    assert_eq!(of_batch(), [&*second, &third]);
    let left = || store.left_by(&Process::own(), RunState::Paused).unwrap();
    let left: Vec<String> = left().into_iter().map(|(header, _)| header.run).collect();
    assert_eq!(left, [third]);
}

#[test]
fn a_run_is_found_by_its_begin_or_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let store = RunStore::new(state);
    let first = make(state, 1, ended(RunOutcome::Success));
    let second = make(state, 2, ended(RunOutcome::Success));
    assert_eq!(store.find(&first).unwrap(), first);
    assert_eq!(store.find("20260102").unwrap(), second);
    assert_eq!(store.find("host1001-00000001").unwrap(), first);
    let several = store.find("00000001").unwrap_err();
    assert_eq!(several.kind(), ErrorKind::Usage);
    assert!(
        matches!(&several, RunsError::SeveralRuns { runs, .. } if *runs == [first, second]),
        "{several}"
    );
    let none = store.find("host1009").unwrap_err();
    assert!(matches!(none, RunsError::NoRun { .. }), "{none}");
}
