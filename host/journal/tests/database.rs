//! A run's journal keeps records in order, reads them back, and refuses what is not as it was written.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rusqlite::Connection;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use wreimage_capability::{Effect, Fault};
use wreimage_journal::{
    Entry, Locks, Log, OpenError, Origin, Outcome, Question, Reality, Record, RunDatabase, driver,
    leave_answer, leave_cancel, read,
};

fn entry(number: u64, record: Record) -> Entry {
    Entry {
        number,
        time: jiff::Timestamp::from_second(1).unwrap(),
        record,
    }
}

fn signal(number: u64, signal: &str) -> Entry {
    let signal = signal.to_owned();
    entry(number, Record::Signal { signal })
}

fn outcome(number: u64) -> Entry {
    entry(
        number,
        Record::Outcome(Outcome {
            call: 1,
            function: "ipmi.set-power".to_owned(),
            effect: Effect::Once,
            origin: Origin::Guest,
            component: None,
            arguments: json!({"action": "Cycle"}),
            result: Err(Fault::timeout("ipmi.timeout", "BMC", "no answer")),
            reality: Reality::Real,
            took_ms: 3,
        }),
    )
}

/// A state directory with a run `r1` of these records that nobody drives any more.
fn written(entries: &[Entry]) -> tempfile::TempDir {
    let state = tempfile::tempdir().unwrap();
    let run = RunDatabase::create(state.path(), "r1").unwrap();
    for entry in entries {
        run.append(entry, false).unwrap();
    }
    state
}

fn change(state: &tempfile::TempDir, sql: &str) {
    let file = state.path().join("runs/r1/journal.db");
    Connection::open(file).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn records_come_back_as_they_were_also_while_the_run_goes_on() {
    let state = tempfile::tempdir().unwrap();
    let run = RunDatabase::create(state.path(), "r1").unwrap();
    run.append(&outcome(1), true).unwrap();
    run.append(&signal(2, "cancel"), false).unwrap();
    let entries = [outcome(1), signal(2, "cancel")];
    assert_eq!(read(state.path(), "r1").unwrap(), entries);
    assert!(driver(state.path(), "r1").unwrap().is_some());
    drop(run);
    assert_eq!(read(state.path(), "r1").unwrap(), entries);
    assert_eq!(driver(state.path(), "r1").unwrap(), None);
}

#[test]
fn a_run_goes_on_where_it_stopped_and_has_one_driver() {
    let state = written(&[outcome(1)]);
    let (run, entries) = RunDatabase::resume(state.path(), "r1").unwrap();
    assert_eq!(entries, [outcome(1)]);
    let second = RunDatabase::resume(state.path(), "r1").map(|_| ());
    assert!(
        matches!(second, Err(OpenError::Driven { .. })),
        "{second:?}"
    );
    run.append(&signal(2, "cancel"), true).unwrap();
    drop(run);
    assert_eq!(read(state.path(), "r1").unwrap().len(), 2);
}

#[test]
fn a_cancel_that_nobody_saw_does_not_end_a_run_that_is_gone_on_with() {
    let state = written(&[outcome(1)]);
    leave_cancel(state.path(), "r1", "somebody").unwrap();
    let (run, _) = RunDatabase::resume(state.path(), "r1").unwrap();
    assert_eq!(run.given_cancel().unwrap(), None);
    leave_cancel(state.path(), "r1", "somebody").unwrap();
    assert_eq!(run.given_cancel().unwrap(), Some("somebody".to_owned()));
}

/// Whether a journal that is opened now is known to be cut, and whether a resume is refused for that.
fn is_known_as_cut(state: &tempfile::TempDir) -> bool {
    let cut = RunDatabase::reopen(state.path(), "r1").unwrap().cut;
    let resumed = RunDatabase::resume(state.path(), "r1").map(|_| ());
    let is_refused = matches!(
        resumed,
        Err(OpenError::Cut { .. } | OpenError::Unmarked { .. })
    );
    assert_eq!(cut.is_some(), is_refused, "{cut:?}");
    is_refused
}

#[test]
fn a_journal_that_was_cut_stays_so_whatever_a_cleanup_has_recorded() {
    type Damage = fn(&tempfile::TempDir);
    let marks = |state: &tempfile::TempDir| state.path().join("runs/r1/journal.mark");
    let damages: [Damage; 4] = [
        |state| change(state, "DELETE FROM record WHERE number > 1"),
        |state| std::fs::remove_file(state.path().join("runs/r1/journal.mark")).unwrap(),
        |state| std::fs::write(state.path().join("runs/r1/journal.mark"), "").unwrap(),
        |state| std::fs::write(state.path().join("runs/r1/journal.mark"), "no mark").unwrap(),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let state = tempfile::tempdir().unwrap();
        let run = RunDatabase::create(state.path(), "r1").unwrap();
        for it in [outcome(1), signal(2, "cancel"), signal(3, "stop")] {
            run.append(&it, true).unwrap();
        }
        drop(run);
        damage(&state);
        let before = std::fs::read(marks(&state)).ok();
        // Each cleanup is stopped: first when the journal is shorter than the mark, then when it is longer.
        for round in 0..3 {
            assert!(is_known_as_cut(&state), "damage {number}, round {round}");
            let reopened = RunDatabase::reopen(state.path(), "r1").unwrap();
            let last = reopened.entries.last().unwrap().number;
            for it in [signal(last + 1, "SIGTERM"), outcome(last + 2)] {
                reopened.database.append(&it, true).unwrap();
            }
        }
        assert!(is_known_as_cut(&state), "damage {number}");
        assert_eq!(std::fs::read(marks(&state)).ok(), before, "damage {number}");
        let text = RunDatabase::resume(state.path(), "r1").map(|_| ());
        let text = text.unwrap_err().to_string();
        assert!(text.contains("wreimage cleanup r1"), "{text}");
    }
}

#[test]
fn a_second_run_of_the_same_id_is_refused() {
    let state = written(&[]);
    assert!(RunDatabase::create(state.path(), "r1").is_err());
}

#[test]
fn a_run_that_is_not_there_is_said() {
    let state = written(&[]);
    for run in ["r2", "", "..", "../r1", "r1/../r1"] {
        let missing = read(state.path(), run);
        assert!(matches!(missing, Err(OpenError::NoRun { .. })), "{run}");
    }
}

#[test]
fn what_was_changed_lost_or_moved_is_refused() {
    let entries = [outcome(1), signal(2, "cancel"), signal(3, "stop")];
    for (sql, word) in [
        (
            "UPDATE record SET body = replace(body, 'cancel', 'xancel')",
            "record 2",
        ),
        ("DELETE FROM record WHERE number = 2", "record 2 is missing"),
        ("UPDATE record SET time_ms = 5 WHERE number = 3", "record 3"),
        (
            "UPDATE record SET number = 9 WHERE number = 2; UPDATE record SET number = 2 WHERE number = 3; \
             UPDATE record SET number = 3 WHERE number = 9",
            "record 2",
        ),
        ("DROP TABLE record", "no such table"),
        ("PRAGMA application_id = 1", "no journal of wreimage"),
    ] {
        let state = written(&entries);
        change(&state, sql);
        let refused = read(state.path(), "r1").unwrap_err();
        assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains(word), "{refused}");
        assert!(RunDatabase::resume(state.path(), "r1").is_err());
    }
}

#[test]
fn a_record_or_a_format_of_another_version_is_refused() {
    let state = written(&[signal(1, "cancel")]);
    change(&state, "PRAGMA user_version = 77");
    let refused = read(state.path(), "r1").unwrap_err();
    assert!(
        matches!(refused, OpenError::Format { found: 77, .. }),
        "{refused}"
    );
}

#[test]
fn a_file_that_is_torn_is_refused() {
    let entries: Vec<Entry> = (1..200).map(|number| signal(number, "cancel")).collect();
    let state = written(&entries);
    let file = state.path().join("runs/r1/journal.db");
    let whole = std::fs::read(&file).unwrap();
    for length in [0, 50, 4096, whole.len() / 2, whole.len() - 100] {
        std::fs::write(&file, &whole[..length]).unwrap();
        let refused = read(state.path(), "r1");
        assert!(refused.is_err(), "{length}");
    }
    let mut spoilt = whole.clone();
    let middle = spoilt.len() / 2;
    spoilt[middle..middle + 64].fill(0xff);
    std::fs::write(&file, &spoilt).unwrap();
    assert!(read(state.path(), "r1").is_err());
}

#[test]
fn an_answer_from_another_process_finds_its_question() {
    let state = tempfile::tempdir().unwrap();
    let run = RunDatabase::create(state.path(), "r1").unwrap();
    let asked = || {
        Record::Question(Question {
            call: 7,
            question: "again?".to_owned(),
            choices: Vec::new(),
            consent: false,
        })
    };
    run.append(&entry(1, asked()), true).unwrap();
    assert_eq!(run.given_answer(7).unwrap(), None);
    let leave = |question| leave_answer(state.path(), "r1", question, 7, "retry", "somebody");
    assert!(leave(1).unwrap());
    let given = ("retry".to_owned(), "somebody".to_owned());
    assert_eq!(run.given_answer(7).unwrap(), Some(given.clone()));
    // It is spent when the same call asks again, and who answers the first question then answers nothing.
    run.append(&entry(2, asked()), true).unwrap();
    assert_eq!(run.given_answer(7).unwrap(), None);
    assert!(!leave(1).unwrap());
    assert_eq!(run.given_answer(7).unwrap(), None);
    assert!(leave(2).unwrap());
    assert_eq!(run.given_answer(7).unwrap(), Some(given));
}

#[test]
fn a_group_that_shares_the_directory_shares_the_runs() {
    for (shared, folder, file) in [(0o700, 0o700, 0o600), (0o2770, 0o2770, 0o660)] {
        let state = tempfile::tempdir().unwrap();
        let mode = std::fs::Permissions::from_mode(shared);
        std::fs::set_permissions(state.path(), mode).unwrap();
        let run = RunDatabase::create(state.path(), "r1").unwrap();
        let blob = format!("runs/r1/blobs/{}", run.keep(b"output").unwrap());
        Locks::open(state.path()).unwrap();
        let mode_of = |name: &str| {
            let made = std::fs::metadata(state.path().join(name)).unwrap();
            made.permissions().mode() & 0o7777
        };
        for name in ["runs", "runs/r1", "runs/r1/blobs"] {
            assert_eq!(mode_of(name), folder, "{name}");
        }
        for name in [
            "runs/r1/journal.db",
            "runs/r1/journal.db-wal",
            "runs/r1/driver",
            &blob,
            "locks.db",
        ] {
            assert_eq!(mode_of(name), file, "{name}");
        }
    }
}

#[test]
fn whoever_looks_at_a_run_keeps_nobody_from_driving_it() {
    let state = tempfile::tempdir().unwrap();
    drop(RunDatabase::create(state.path(), "r1").unwrap());
    let look = std::fs::File::open(state.path().join("runs/r1/driver")).unwrap();
    look.lock_shared().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            look.unlock().unwrap();
        });
        RunDatabase::resume(state.path(), "r1").unwrap();
    });
}
