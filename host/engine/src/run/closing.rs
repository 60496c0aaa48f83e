//! What follows the guest's part: the end of its steps, and the closing words.

use crate::gate::run_gate::RunGate;
use crate::guest::blame::explain;
use crate::guest::engine::Engine;
use crate::guest::instance::{CANCEL_GRACE, Ended, Part, died, link};
use crate::guest::limits::Limits;
use crate::guest::load::Guest;
use crate::wasi::HasWasi;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::guest as wit;
use wreimage_capability::{BoxFuture, Fault};
use wreimage_journal::{LogError, Record};

/// How long the closing words may take.
const ON_ENDED_DEADLINE: Duration = Duration::from_secs(120);

/// Ends what the guest left open; from here on only the host acts.
pub(crate) fn close_guest(gate: &RunGate, ended: &Ended) -> Result<(), LogError> {
    if gate.cancel.is_cancelled() {
        gate.note_cancel()?;
    }
    // From here on only the host acts; what it does is not cancelled.
    let end = ended.record();
    let text = match ended {
        Ended::Returned(_) => "the guest ended without ending this step".to_owned(),
        Ended::Faulted(fault) => fault.message.clone(),
        // The traceback is told by the report.
        Ended::Trapped(trap) => format!("the guest died: {}", first_line(trap)),
        Ended::Stopped(stop) => stop.to_string(),
        Ended::Cancelled => "cancelled".to_owned(),
    };
    gate.end_open_step(&text)?;
    gate.record_durably(Record::GuestEnded(end))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

pub(crate) async fn say_closing_words(
    engine: &Engine,
    guest: &Guest,
    gate: &Arc<RunGate>,
    limits: Limits,
    ended: &Ended,
) {
    let ending = wit_ending(gate, ended);
    let words: BoxFuture<'_, wasmtime::Result<Result<Result<(), Fault>, String>>> =
        Box::pin(async {
            let (mut store, linked) = link(engine, guest, gate, limits, Part::ClosingWords)?;
            let ended = async {
                let instance = linked.instantiate_async(&mut store).await?;
                let exports = instance.wreimage_guest_guest();
                exports.call_on_ended(&mut store, &ending).await
            }
            .await;
            store.data_mut().wasi().flush().await?;
            Ok(ended.map_err(|error| died(guest, &error, limits, gate, store.data())))
        });
    // A cancelled run is closed like any other; only the guest's `run` was told to stop.
    gate.cancel.clear();
    // A cancel while they run does not change their calls; it ends those that do not end by themselves.
    let given_up = async {
        gate.cancel.cancelled().await;
        gate.grace_of_cancel().await;
    };
    let failure = tokio::select! {
        ended = tokio::time::timeout(ON_ENDED_DEADLINE, words) => match ended {
            Ok(Ok(Ok(Ok(())))) => None,
            Ok(Ok(Ok(Err(fault)))) => Some(fault.message),
            Ok(Ok(Err(death))) => Some(death),
            Ok(Err(error)) => Some(explain(guest, &error, limits)),
            Err(_) => Some(format!(
                "they took longer than {} s",
                ON_ENDED_DEADLINE.as_secs()
            )),
        },
        () = given_up => Some(format!(
            "they were cancelled and did not end within {} s",
            CANCEL_GRACE.as_secs()
        )),
    };
    // Whether these are kept is told by the report.
    let _told = gate.end_open_step("the guest ended without ending this step");
    if let Some(failure) = failure {
        let _told = gate.warn(format!("the guest's closing words failed: {failure}"));
    }
}

fn wit_ending(gate: &RunGate, ended: &Ended) -> wit::Ending {
    let state = gate.state();
    wit::Ending {
        cause: match ended {
            Ended::Returned(outcome) => wit::Cause::Finished(outcome.clone()),
            Ended::Faulted(fault) => wit::Cause::Faulted(fault.clone()),
            Ended::Trapped(trap) => wit::Cause::Trapped(trap.clone()),
            Ended::Stopped(stop) => wit::Cause::Cancelled(stop.to_string()),
            Ended::Cancelled => wit::Cause::Cancelled("the operator cancelled the run".to_owned()),
        },
        steps: state
            .notes
            .steps
            .iter()
            .map(|step| wit::PastStep {
                phase: step.phase.clone(),
                name: step.name.clone(),
                level: step.level.word().to_owned(),
                text: step.text.clone(),
            })
            .collect(),
        follow_ups: state.notes.follow_ups.open().to_vec(),
        undone: state
            .undo
            .closed
            .iter()
            .map(|closed| wit::Undone {
                function: closed.inverse.clone(),
                thing: closed.thing.clone(),
                state: closed.state.word().to_owned(),
                text: closed.text.clone(),
            })
            .collect(),
        extra: Vec::new(),
    }
}
