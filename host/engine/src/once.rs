//! Calls that must not be repeated while their outcome is unknown.

use crate::gate::Course;
use crate::operator::LATER;
use crate::past::Open;
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
    /// Looks at the world, announces, tries, and clears up the doubt if there is one. A call that an earlier process has
    /// announced is in doubt from the beginning.
    pub(crate) async fn once(
        self: &Arc<Self>,
        provider: Arc<dyn Dispatch>,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
        call: &mut Call,
        open: Option<Open>,
    ) -> Result<Result<Value, Fault>, Stop> {
        let mut open = open.unwrap_or_default();
        let mut doubt = None;
        match open.intent.take() {
            Some(intent) => {
                call.witness = Some(intent.witness.unwrap_or_default());
                doubt = Some(Fault::in_doubt(
                    "gate.interrupted",
                    "wreimage",
                    format!("the process that called {function} went away before it was answered"),
                ));
            }
            None => {
                let witness = self
                    .witness(provider.as_ref(), function, arguments, call)
                    .await;
                if let Some(fault) = self.cancelled_before(function, origin) {
                    return Ok(Err(fault));
                }
                self.announce(function, arguments, origin, call, Some(witness.clone()))?;
                call.witness = Some(witness);
            }
        }
        loop {
            let fault = match doubt.take() {
                Some(fault) => fault,
                None => match self
                    .perform(provider.as_ref(), function, arguments, call)
                    .await
                {
                    Err(fault) if fault.leaves_doubt() => fault,
                    definite => return Ok(definite),
                },
            };
            call.progress(format!("in doubt: {}", fault.message));
            let witness = call.witness.clone().unwrap_or_default();
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
                Ok(Ok(Reconciled::DidNot)) if fault.code == "gate.interrupted" => {
                    call.progress("the world shows that it did not happen; it is done now");
                    self.announce_again(provider.as_ref(), function, arguments, origin, call)
                        .await?;
                    continue;
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
            let told = std::mem::take(&mut open);
            match self
                .ask_about_doubt(function, call, &fault, &unknown, told)
                .await?
            {
                Some(answer) if answer == REPEAT => {
                    self.announce_again(provider.as_ref(), function, arguments, origin, call)
                        .await?;
                }
                Some(answer) if answer == HAPPENED => return Ok(Ok(Value::Null)),
                _ => {
                    let doubt = format!(
                        "whether {function} happened is unknown ({}; {unknown}): look at {} before anything else is done \
                         to it",
                        fault.message, self.host
                    );
                    return Err(Stop::InDoubt(doubt));
                }
            }
        }
    }

    /// What the world looks like before a call. A world that cannot be seen is part of what was seen.
    async fn witness(
        &self,
        provider: &dyn Dispatch,
        function: &'static Function,
        arguments: &Value,
        call: &Call,
    ) -> Value {
        match tokio::time::timeout(LOOK_DEADLINE, provider.witness(call, function, arguments)).await
        {
            Ok(Ok(witness)) => witness,
            Ok(Err(fault)) => json!({ "unseen": fault.message }),
            Err(_) => json!({ "unseen": "no answer in time" }),
        }
    }

    /// A call that is made once more is announced once more: should this process go away as well, the next one must not
    /// take the answer that it was repeated on for one that is still to be acted on.
    async fn announce_again(
        &self,
        provider: &dyn Dispatch,
        function: &'static Function,
        arguments: &Value,
        origin: Origin,
        call: &mut Call,
    ) -> Result<(), Stop> {
        let witness = self.witness(provider, function, arguments, call).await;
        self.announce(function, arguments, origin, call, Some(witness.clone()))?;
        call.witness = Some(witness);
        Ok(())
    }

    async fn ask_about_doubt(
        &self,
        function: &Function,
        call: &Call,
        fault: &Fault,
        unknown: &str,
        open: Open,
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
        self.ask(&question, open.question.is_some(), open.answer)
            .await
            .map(Result::ok)
    }

    /// Puts a question to the operator and records both, unless an earlier process has.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        is_recorded: bool,
        answer: Option<String>,
    ) -> Result<Result<String, Fault>, Stop> {
        if let Some(answer) = answer {
            return Ok(Ok(answer));
        }
        if !is_recorded {
            self.recorder
                .record_durably(Record::Question(question.clone()))?;
        }
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
        match answer {
            Err(fault) if fault.code == LATER => Err(Stop::Paused(format!(
                "{} waits for an answer: {} ({})",
                self.host,
                question.question,
                question
                    .choices
                    .iter()
                    .map(|(key, _)| key.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
            answer => Ok(answer),
        }
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
