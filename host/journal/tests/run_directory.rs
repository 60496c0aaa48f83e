//! A run's folder keeps records in order and reads them back.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
use serde_json::json;
use wreimage_capability::{Effect, Fault};
use wreimage_journal::{Entry, Log, Origin, Outcome, Reality, Record, Records, RunDirectory};

fn entry(number: u64, record: Record) -> Entry {
    Entry {
        number,
        time: jiff::Timestamp::from_second(1).unwrap(),
        record,
    }
}

#[test]
fn records_come_back_as_they_were() {
    let state = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(state.path(), "r1").unwrap();
    let entries = [
        entry(
            1,
            Record::Outcome(Outcome {
                call: 1,
                function: "ipmi.set-power".to_owned(),
                effect: Effect::Once,
                origin: Origin::Guest,
                arguments: json!({"action": "Cycle"}),
                result: Err(Fault::timeout("ipmi.timeout", "BMC", "no answer")),
                reality: Reality::Real,
                took_ms: 3,
            }),
        ),
        entry(
            2,
            Record::Signal {
                signal: "cancel".to_owned(),
            },
        ),
    ];
    run.append(&entries[0], true).unwrap();
    run.append(&entries[1], false).unwrap();
    assert_eq!(Records::read(run.path()).unwrap(), entries);
}

#[test]
fn a_second_run_of_the_same_id_is_refused() {
    let state = tempfile::tempdir().unwrap();
    let _first = RunDirectory::create(state.path(), "r1").unwrap();
    assert!(RunDirectory::create(state.path(), "r1").is_err());
}

#[test]
fn a_torn_line_is_an_error_that_names_it() {
    let state = tempfile::tempdir().unwrap();
    let run = RunDirectory::create(state.path(), "r1").unwrap();
    run.append(
        &entry(
            1,
            Record::Signal {
                signal: "stop".to_owned(),
            },
        ),
        true,
    )
    .unwrap();
    let file = run.path().join("events.jsonl");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("{\"number\":2,");
    std::fs::write(&file, text).unwrap();
    let error = Records::read(run.path()).unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
}
