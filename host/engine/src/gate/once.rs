//! Calls that must not be repeated while their outcome is unknown.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::ledger::DID_NOT;
use crate::replay::cursor::BegunCall;
use crate::run::operator::{Given, LATER};
use crate::run::stop::Stop;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::{
    Call, Dispatch, Doubt, Effect, Fault, FaultKind, Function, Reconciled, Returns,
};
use wreimage_journal::{Answered, Question, Record};

/// How long a provider may look at the world before or after such a call.
const LOOK_DEADLINE: Duration = Duration::from_secs(120);

/// Code of the fault of a call whose process went away.
const INTERRUPTED: &str = "gate.interrupted";

const HAPPENED: &str = "happened";
const REPEAT: &str = "repeat";
const ABORT: &str = "abort";

/// What is to be done about a call next.
enum Next {
    Perform,
    /// Announce it anew, and perform.
    Again,
    /// Ask the world about the doubt that this fault left.
    Reconcile(Fault),
    /// Do as the operator said of the doubt that this fault left.
    Act(String, Fault),
}

impl RunGate {
    /// Looks at the world, announces, tries, and clears up the doubt if there is one. A call that an earlier process has
    /// announced is in doubt from the beginning.
    pub(crate) async fn once(
        self: &Arc<Self>,
        provider: Arc<dyn Dispatch>,
        context: CallContext<'_>,
        call: &mut Call,
        open: Option<BegunCall>,
    ) -> Result<Result<Value, Fault>, Stop> {
        let CallContext {
            function,
            arguments,
            ..
        } = context;
        let mut open = open.unwrap_or_default();
        let since = open.since;
        let provider = provider.as_ref();
        let mut next = match open.intent.take() {
            Some(intent) => {
                call.witness = Some(intent.witness.unwrap_or_default());
                match self.earlier_answer(&mut open)? {
                    Some(answer) => Next::Act(answer, interrupted(function)),
                    None => Next::Reconcile(interrupted(function)),
                }
            }
            None => {
                let witness = self.witness(provider, function, arguments, call).await;
                if let Some(fault) = self.cancelled_before(context) {
                    return Ok(Err(fault));
                }
                self.record_intent(context, call, Some(witness.clone()))?;
                if let Some(fault) = self.confirm_lease(context, call).await? {
                    return Ok(Err(fault));
                }
                call.witness = Some(witness);
                Next::Perform
            }
        };
        loop {
            next = match next {
                Next::Perform => match self.perform(provider, function, arguments, call).await {
                    Err(fault) if fault.leaves_doubt() => Next::Reconcile(fault),
                    definite => return Ok(definite),
                },
                Next::Again => {
                    // What was asked and answered was about the try before.
                    open = BegunCall::default();
                    if let Some(fault) = self.may_repeat(context).await? {
                        return Ok(Err(self.not_repeated(function, fault, since)));
                    }
                    if context.is_by_guest() {
                        // What was set for this very restart is not used up, and BMCs forget it within a minute.
                        self.reassert_for(call.sequence).await?;
                        // The try before did not happen: the guest may make another one.
                        if let Some(fault) =
                            self.refuse_new_override(context, call.sequence).await?
                        {
                            return Ok(Err(fault));
                        }
                    }
                    self.give_checked(call);
                    let witness = self.witness(provider, function, arguments, call).await;
                    // Announced once more: should this process go away as well, the next one must not take the answer that
                    // it was repeated on for one that is still to be acted on.
                    self.record_intent(context, call, Some(witness.clone()))?;
                    if let Some(fault) = self.confirm_lease(context, call).await? {
                        return Ok(Err(self.not_repeated(function, fault, since)));
                    }
                    call.witness = Some(witness);
                    Next::Perform
                }
                Next::Reconcile(fault) => {
                    call.progress(format!("in doubt: {}", fault.message));
                    match self.reconcile(provider, function, arguments, call).await {
                        Reconciled::Happened(outcome) => {
                            call.progress("the world shows that it happened");
                            return Ok(Ok(outcome));
                        }
                        Reconciled::DidNot if fault.code == INTERRUPTED => {
                            call.progress("the world shows no end of it; it is called again, under the same key");
                            Next::Again
                        }
                        Reconciled::DidNot => {
                            call.progress("the world shows that it did not happen");
                            return Ok(Err(did_not(function, fault)));
                        }
                        Reconciled::Unknown(seen) if function.doubt == Doubt::Told => {
                            return Ok(Err(in_doubt(fault, &seen)));
                        }
                        Reconciled::Unknown(seen) => {
                            let earlier = std::mem::take(&mut open);
                            let answer = self
                                .ask_about_doubt(function, call, &fault, &seen, earlier)
                                .await?;
                            let fault = Fault {
                                message: format!("{}; {seen}", fault.message),
                                ..fault
                            };
                            Next::Act(answer.unwrap_or_default(), fault)
                        }
                    }
                }
                Next::Act(answer, fault) => match answer.as_str() {
                    REPEAT => Next::Again,
                    HAPPENED => return Ok(Ok(Value::Null)),
                    _ => {
                        return Err(Stop::InDoubt(format!(
                            "whether {function} happened is unknown ({}): look at {} before anything else is done to it",
                            fault.message, self.context.host
                        )));
                    }
                },
            }
        }
    }

    /// The fault of a call that an earlier process has begun and that is not made again: it was called, whatever came of it. What
    /// is left says so too where nothing undoes it.
    pub(crate) fn not_repeated(
        &self,
        function: &'static Function,
        fault: Fault,
        since: Option<Timestamp>,
    ) -> Fault {
        let when = since.map_or_else(String::new, |since| {
            format!(" at {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"))
        });
        let known =
            format!("{function} was called{when} and was under way when the run was interrupted");
        let cancelled = fault.kind == FaultKind::Cancelled;
        let why = if cancelled {
            "the run was cancelled"
        } else {
            fault.message.as_str()
        };
        if function.effect != Effect::Once {
            return Fault {
                kind: FaultKind::InDoubt,
                retryable: false,
                message: format!(
                    "{why}. {known}: it may have had its effect, and is not called again"
                ),
                ..fault
            };
        }
        let unseen = "no end of it is seen, and it may still be under way";
        self.state()
            .own_doubts
            .push(format!("{known}: {unseen}; check {}", self.context.host));
        Fault {
            kind: if cancelled {
                FaultKind::Cancelled
            } else {
                FaultKind::InDoubt
            },
            retryable: false,
            message: format!("{why}. {known}: {unseen}. It is not called again"),
            ..fault
        }
    }

    /// The answer to the question that an earlier process has asked, if somebody has answered by now.
    fn earlier_answer(&self, open: &mut BegunCall) -> Result<Option<String>, Stop> {
        let Some(question) = &open.question else {
            return Ok(None);
        };
        if let Some(answer) = open.answer.take() {
            return Ok(Some(answer));
        }
        let Some(given) = self.operator.given(question) else {
            return Ok(None);
        };
        self.record_answer(question, &given)?;
        Ok(Some(given.choice))
    }

    /// What the world says of a call that nobody has seen the end of.
    async fn reconcile(
        &self,
        provider: &dyn Dispatch,
        function: &'static Function,
        arguments: &Value,
        call: &Call,
    ) -> Reconciled {
        let witness = call.witness.clone().unwrap_or_default();
        let looking = provider.reconcile(call, function, arguments, &witness);
        match tokio::time::timeout(LOOK_DEADLINE, looking).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(looking)) => Reconciled::Unknown(looking.message),
            Err(_) => Reconciled::Unknown("the world did not answer in time".to_owned()),
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

    async fn ask_about_doubt(
        &self,
        function: &Function,
        call: &Call,
        fault: &Fault,
        unknown: &str,
        open: BegunCall,
    ) -> Result<Option<String>, Stop> {
        let choice = |key: &str, label: &str| (key.to_owned(), label.to_owned());
        let question = Question {
            call: call.sequence,
            question: format!(
                "{function} for {} ended without an answer ({}), and the world cannot tell whether it happened: {unknown}",
                self.context.host, fault.message
            ),
            // Only what returns nothing can be taken for done on somebody's word.
            choices: (function.returns == Returns::Nothing)
                .then(|| choice(HAPPENED, "it happened; go on"))
                .into_iter()
                .chain([
                    choice(REPEAT, "it did not; do it again"),
                    choice(ABORT, "stop here"),
                ])
                .collect(),
            consent: false,
        };
        self.ask(&question, open).await.map(Result::ok)
    }

    /// Puts a question to the operator and records both, unless an earlier process has.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        open: BegunCall,
    ) -> Result<Result<String, Fault>, Stop> {
        if let Some(answer) = open.answer {
            return Ok(Ok(answer));
        }
        if open.question.is_none() {
            self.record_durably(Record::Question(question.clone()))?;
        }
        // A run that waits for a person does not renew its claim.
        self.holder.let_go();
        let given = tokio::select! {
            given = self.operator.ask(question) => given,
            () = self.cancel.cancelled(), if !self.state().mode().is_closing() => {
                Err(Fault::cancelled("the run was cancelled at a question"))
            }
        };
        self.holder.keep_on();
        match given {
            Ok(given) => {
                self.record_answer(question, &given)?;
                // While the question stood, anything may have changed.
                self.state().needs_check();
                Ok(Ok(given.choice))
            }
            Err(fault) if fault.code == LATER => Err(Stop::Paused(format!(
                "{} waits for an answer: {} ({})",
                self.context.host,
                question.question,
                question
                    .choices
                    .iter()
                    .map(|(key, _)| key.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
            Err(fault) => Ok(Err(fault)),
        }
    }

    fn record_answer(&self, question: &Question, given: &Given) -> Result<(), Stop> {
        self.record_durably(Record::Answer(Answered {
            call: question.call,
            answer: given.choice.clone(),
            by: given.by.clone(),
        }))?;
        Ok(())
    }
}

fn interrupted(function: &Function) -> Fault {
    Fault::in_doubt(
        INTERRUPTED,
        "wreimage",
        format!("the process that called {function} went away before it was answered"),
    )
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
        code: DID_NOT.to_owned(),
        retryable: true,
        message: format!(
            "{}; the world shows that {function} did not happen",
            fault.message
        ),
        ..fault
    }
}
