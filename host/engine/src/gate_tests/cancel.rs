//! What a cancelled run answers.

use super::*;
use wreimage_capability::run;

const NOTE: &Function = &run::functions::note;

fn note(text: &str) -> Value {
    json!({ "level": "Success", "text": text })
}

#[tokio::test]
async fn a_note_after_a_cancel_is_recorded_and_answered_cancelled_and_so_it_is_when_it_is_replayed()
{
    let setup = Setup::new();
    setup.call(NOTE, note("before")).await.unwrap();
    setup.gate.cancel.cancel();
    let fault = setup.call(NOTE, note("after")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Cancelled);
    let records = setup.log.entries();
    let kinds: Vec<String> = records
        .iter()
        .map(|entry| match &entry.record {
            Record::Note { text, .. } => text.clone(),
            Record::Signal { signal } => signal.clone(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["before", "cancel", "after"]);

    // The next process answers each as it was answered.
    let again = Setup::new();
    again
        .gate
        .recorder
        .continue_after(records.len() as u64, None);
    again.gate.has_past(records);
    again.call(NOTE, note("before")).await.unwrap();
    let fault = again.call(NOTE, note("after")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Cancelled);
    assert!(again.log.entries().is_empty());
}

#[tokio::test]
async fn a_note_in_a_trial_ends_it_where_the_journal_ends() {
    let setup = Setup::new();
    setup.gate.state().verifies = true;
    let call = setup.gate.call_by_guest(NOTE, note("new"));
    assert!(matches!(call.await, Err(Stop::Edge)));
}
