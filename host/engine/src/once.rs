//! Calls that must not be repeated while their outcome is unknown.

use crate::gate::Course;
use crate::stop::Stop;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::{Call, Dispatch, Doubt, Fault, FaultKind, Function, Reconciled};
use wreimage_journal::{Answered, Origin, Question, Record};

/// How long a provider may look at the world before or after such a call.
const LOOK_DEADLINE: Duration = Duration::from_secs(120);

const HAPPENED: &str = "happened";
const REPEAT: &str = "repeat";
const ABORT: &str = "abort";

impl Course {
    /// Looks at the world, announces, tries, and clears up the doubt if there is one.
    pub(crate) async fn once(
        self: &Arc<Self>,
        provider: Arc<dyn Dispatch>,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
        call: &mut Call,
    ) -> Result<Result<Value, Fault>, Stop> {
        let witness =
            match tokio::time::timeout(LOOK_DEADLINE, provider.witness(call, function, arguments))
                .await
            {
                Ok(Ok(witness)) => witness,
                // A world that cannot be seen is part of what was seen.
                Ok(Err(fault)) => json!({ "unseen": fault.message }),
                Err(_) => json!({ "unseen": "no answer in time" }),
            };
        if let Some(fault) = self.cancelled_before(function, origin) {
            return Ok(Err(fault));
        }
        self.announce(function, arguments, origin, call, Some(witness.clone()))?;
        call.witness = Some(witness.clone());
        let call = &*call;
        loop {
            let fault = match self
                .perform(provider.as_ref(), function, arguments, call)
                .await
            {
                Err(fault) if fault.leaves_doubt() => fault,
                definite => return Ok(definite),
            };
            call.progress(format!("in doubt: {}", fault.message));
            let verdict = tokio::time::timeout(
                LOOK_DEADLINE,
                provider.reconcile(call, function, arguments, &witness),
            )
            .await;
            let unknown = match verdict {
                Ok(Ok(Reconciled::Happened(outcome))) => {
                    call.progress("the world shows that it happened");
                    return Ok(Ok(outcome));
                }
                Ok(Ok(Reconciled::DidNot)) => {
                    call.progress("the world shows that it did not happen");
                    return Ok(Err(did_not(function, fault)));
                }
                Ok(Ok(Reconciled::Unknown(seen))) => seen,
                Ok(Err(looking)) => looking.message,
                Err(_) => "the world did not answer in time".to_owned(),
            };
            if function.doubt == Doubt::Told {
                return Ok(Err(in_doubt(fault, &unknown)));
            }
            match self
                .ask_about_doubt(function, call, &fault, &unknown)
                .await?
            {
                Some(answer) if answer == REPEAT => {}
                Some(answer) if answer == HAPPENED => return Ok(Ok(Value::Null)),
                _ => {
                    let doubt = format!(
                        "whether {function} happened is unknown ({}; {unknown}): look at {} before anything else is done \
                         to it",
                        fault.message, self.host
                    );
                    self.state().doubts.push(doubt.clone());
                    return Err(Stop::InDoubt(doubt));
                }
            }
        }
    }

    async fn ask_about_doubt(
        &self,
        function: &Function,
        call: &Call,
        fault: &Fault,
        unknown: &str,
    ) -> Result<Option<String>, Stop> {
        let choice = |key: &str, label: &str| (key.to_owned(), label.to_owned());
        let question = Question {
            call: call.sequence,
            question: format!(
                "{function} for {} ended without an answer ({}), and the world cannot tell whether it happened: {unknown}",
                self.host, fault.message
            ),
            choices: function
                .returns_nothing
                // Only what returns nothing can be taken for done on somebody's word.
                .then(|| choice(HAPPENED, "it happened; go on"))
                .into_iter()
                .chain([
                    choice(REPEAT, "it did not; do it again"),
                    choice(ABORT, "stop here"),
                ])
                .collect(),
        };
        self.ask(&question).await.map(Result::ok)
    }

    /// Puts a question to the operator and records both.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Result<String, Fault>, Stop> {
        self.recorder
            .record_durably(Record::Question(question.clone()))?;
        let answer = tokio::select! {
            answer = self.operator.ask(question) => answer,
            () = self.cancel.cancelled() => Err(Fault::cancelled("the run was cancelled at a question")),
        };
        if let Ok(answer) = &answer {
            self.recorder.record_durably(Record::Answer(Answered {
                call: question.call,
                answer: answer.clone(),
            }))?;
        }
        Ok(answer)
    }
}

/// Nothing shows whether it happened.
fn in_doubt(fault: Fault, unknown: &str) -> Fault {
    Fault {
        kind: FaultKind::InDoubt,
        retryable: false,
        message: format!(
            "{} (whether it happened is unknown: {unknown})",
            fault.message
        ),
        ..fault
    }
}

/// The world shows that it did not happen: the call may be made again.
fn did_not(function: &Function, fault: Fault) -> Fault {
    Fault {
        kind: FaultKind::Unreachable,
        code: "gate.did-not-happen".to_owned(),
        retryable: true,
        message: format!(
            "{}; the world shows that {function} did not happen",
            fault.message
        ),
        ..fault
    }
}
