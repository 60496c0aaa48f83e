//! What the engine itself answers: the run, the operator, the clock.

use crate::gate::call_context::CallContext;
use crate::gate::run_gate::RunGate;
use crate::ledger::follow_ups;
use crate::replay::cursor::BegunCall;
use crate::run::stop::Stop;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use wreimage_capability::operator::Choice;
use wreimage_capability::run::{self, OptionValue, Request};
use wreimage_capability::{Call, Fault, Function, from_millis, to_millis};
use wreimage_journal::{Level, LogError, Question, Record};

/// The name in `NAME (uid …)`: guests hand it on to systems that know people by name.
fn person(actor: &str) -> &str {
    actor.split_once(" (uid ").map_or(actor, |(name, _)| name)
}

fn level(of: run::Level) -> Level {
    match of {
        run::Level::Success => Level::Success,
        run::Level::Failure => Level::Failure,
        run::Level::Skipped => Level::Skipped,
        // A level that this host does not know is shown rather than lost.
        run::Level::Warning | run::Level::Other(_) => Level::Warning,
    }
}

fn argument<T: DeserializeOwned>(arguments: &Value, name: &str) -> Result<T, Fault> {
    let value = arguments.get(name).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|error| {
        Fault::other(
            "gate.argument",
            "wreimage",
            format!("argument `{name}`: {error}"),
        )
    })
}

/// What a component that is plugged in tells or asks of a person carries its name: it is not in the guest's voice.
fn signed(text: String, component: Option<String>) -> String {
    match component {
        Some(name) => format!("{text} (by the component `{name}`)"),
        None => text,
    }
}

impl RunGate {
    /// Records a note. After a cancel a note is still recorded, for it tells of what has happened, and the guest is answered
    /// that the run was cancelled.
    pub(crate) fn note(&self, context: CallContext<'_>) -> Result<Result<Value, Fault>, Stop> {
        let now = self.recorder.clock().now();
        let records = match self.read_note(context, now) {
            Ok(records) => records,
            // A step that the record has ended already is ended once more.
            Err(_) if self.is_replaying() => return Ok(Ok(Value::Null)),
            Err(fault) => return Ok(Err(fault)),
        };
        for record in records {
            self.record_guest_note(record)?;
        }
        let state = self.state();
        if state.cancelled && !state.mode().is_closing() {
            return Ok(Err(Fault::cancelled("the run was cancelled")));
        }
        Ok(Ok(Value::Null))
    }

    /// Records a note of the guest. The record of a cancel stands before every note that is answered `cancelled`, so that a
    /// resumed run answers each note as it was answered.
    fn record_guest_note(&self, record: Record) -> Result<(), Stop> {
        if self.replay_note(&record) {
            return Ok(());
        }
        if self.state().verifies {
            return Err(Stop::Edge);
        }
        if self.cancel.is_cancelled() && !self.state().mode().is_closing() {
            self.note_cancel()?;
        }
        Ok(self.keep_note(record)?)
    }

    /// Records a note and learns it; one that a resumed run makes again is in the record already.
    pub(crate) fn record_note(&self, record: Record) -> Result<(), LogError> {
        if self.replay_note(&record) {
            return Ok(());
        }
        self.keep_note(record)
    }

    fn keep_note(&self, record: Record) -> Result<(), LogError> {
        if let Record::StepBegan { phase, .. } = &record {
            self.holder.phase(phase);
        }
        self.record(record)
    }

    fn read_note(&self, context: CallContext<'_>, now: Timestamp) -> Result<Vec<Record>, Fault> {
        let CallContext {
            function,
            arguments,
            ..
        } = context;
        let component = self.component(context);
        let state = self.state();
        let notes = &state.notes;
        let text = |name: &str| argument::<String>(arguments, name);
        Ok(match function.name {
            "step-begin" => {
                let (phase, name) = (text("phase")?, text("name")?);
                let open = notes.end(now, Level::Unfinished, String::new(), Vec::new(), component);
                let began = Record::StepBegan {
                    phase,
                    name,
                    expected_ms: argument(arguments, "expected_ms")?,
                };
                open.into_iter().chain([began]).collect()
            }
            "step-end" => {
                let level = level(argument(arguments, "level")?);
                let evidence = argument(arguments, "evidence")?;
                match notes.end(now, level, text("text")?, evidence, component) {
                    Some(step) => vec![step],
                    None => {
                        return Err(Fault::conflict(
                            "run.no-step",
                            "wreimage",
                            "the guest ends a step, but none is open",
                        ));
                    }
                }
            }
            "note" => {
                let (level, text) = (level(argument(arguments, "level")?), text("text")?);
                vec![Record::Note {
                    level,
                    text,
                    by_host: false,
                    component,
                }]
            }
            "add-follow-up" => {
                let mut added: run::FollowUp = argument(arguments, "follow_up")?;
                added.text = signed(added.text, component.clone());
                added.key = follow_ups::key_of(added.key, component);
                vec![follow_ups::record(added)]
            }
            "end-follow-up" => {
                let key = follow_ups::key_of(text("key")?, component);
                vec![Record::FollowUpEnded { key }]
            }
            "log" => {
                let severity = argument::<run::Severity>(arguments, "severity")?;
                let text = signed(text("text")?, component);
                vec![Record::Log {
                    severity: match severity {
                        run::Severity::Debug => "debug",
                        run::Severity::Info => "info",
                        run::Severity::Warn => "warn",
                        run::Severity::Error => "error",
                    }
                    .to_owned(),
                    text,
                }]
            }
            _ => return Err(unknown(function)),
        })
    }

    /// Ends a step that the guest left open.
    pub(crate) fn end_open_step(&self, text: &str) -> Result<(), LogError> {
        let now = self.recorder.clock().now();
        let step =
            self.state()
                .notes
                .end(now, Level::Unfinished, text.to_owned(), Vec::new(), None);
        step.map_or(Ok(()), |step| self.record_note(step))
    }

    /// Answers what has no provider.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        context: CallContext<'_>,
        call: &Call,
        open: Option<BegunCall>,
    ) -> Result<Result<Value, Fault>, Stop> {
        let CallContext {
            function,
            arguments,
            ..
        } = context;
        let open = open.unwrap_or_default();
        let plain = |value: serde_json::Result<Value>| {
            value.map_err(|error| Fault::other("gate.outcome", "wreimage", error.to_string()))
        };
        match (function.capability, function.name) {
            ("run", "get-request") => Ok(plain(serde_json::to_value(self.request()))),
            ("clock", "now") => Ok(Ok(to_millis(self.recorder.clock().now()).into())),
            ("clock", "sleep") => {
                let millis = match argument::<u64>(arguments, "duration_ms") {
                    Ok(millis) => millis,
                    Err(fault) => return Ok(Err(fault)),
                };
                let due = match open.timer {
                    // A clock that was set back meanwhile must not make the pause longer than it was to be.
                    Some(timer) => {
                        let now = to_millis(self.recorder.clock().now());
                        timer.due_ms.min(now.saturating_add(millis))
                    }
                    None => {
                        let now = to_millis(self.recorder.clock().now());
                        let due = now.saturating_add(millis);
                        self.set_timer(context, call, due)?;
                        due
                    }
                };
                Ok(self.sleep(due).await)
            }
            ("clock", "sleep-until") => match argument::<u64>(arguments, "time_ms") {
                Ok(due) => Ok(self.sleep(due).await),
                Err(fault) => Ok(Err(fault)),
            },
            ("operator", "confirm") => {
                let question = match argument::<String>(arguments, "question") {
                    Ok(question) => question,
                    Err(fault) => return Ok(Err(fault)),
                };
                let choice = |key: &str, label: &str| (key.to_owned(), label.to_owned());
                let question = Question {
                    call: call.sequence,
                    question: signed(question, self.component(context)),
                    choices: vec![choice("yes", "go on"), choice("no", "do not")],
                    consent: false,
                };
                Ok(self
                    .ask_again(&question, open)
                    .await?
                    .map(|answer| (answer == "yes").into()))
            }
            ("operator", "choose") => {
                let (question, choices) = match (
                    argument::<String>(arguments, "question"),
                    argument::<Vec<Choice>>(arguments, "choices"),
                ) {
                    (Ok(question), Ok(choices)) => (question, choices),
                    (Err(fault), _) | (_, Err(fault)) => return Ok(Err(fault)),
                };
                if choices.is_empty() {
                    return Ok(Err(Fault::rejected(
                        "operator.no-choices",
                        "wreimage",
                        "the guest asks a question without any answer",
                    )));
                }
                let question = Question {
                    call: call.sequence,
                    question: signed(question, self.component(context)),
                    choices: choices.into_iter().map(|c| (c.key, c.label)).collect(),
                    consent: false,
                };
                Ok(self.ask_again(&question, open).await?.map(Value::from))
            }
            _ => Ok(Err(unknown(function))),
        }
    }

    /// Asks, unless an earlier process has: then it must have been the same.
    async fn ask_again(
        &self,
        question: &Question,
        open: BegunCall,
    ) -> Result<Result<String, Fault>, Stop> {
        match &open.question {
            Some(asked) if asked != question => Err(Stop::Diverged {
                recorded: format!("the question {:?}", asked.question),
                called: format!("the question {:?}", question.question),
            }),
            _ => self.ask(question, open).await,
        }
    }

    async fn sleep(&self, due_ms: u64) -> Result<Value, Fault> {
        let clock = self.recorder.clock();
        tokio::select! {
            () = clock.sleep_until(from_millis(due_ms)) => Ok(Value::Null),
            () = self.cancel.cancelled(), if !self.state().mode().is_closing() => {
                Err(Fault::cancelled("the run was cancelled during a pause"))
            }
        }
    }

    fn request(&self) -> Request {
        Request {
            run_id: self.context.run.clone(),
            host: self.context.host.clone(),
            site: self.context.site.clone(),
            actor: person(&self.context.actor).to_owned(),
            options: self
                .context
                .options
                .iter()
                .map(|(name, value)| OptionValue {
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect(),
            absent: self.context.absent.iter().cloned().collect(),
            extra: [
                ("controller", self.context.controller.as_str()),
                ("on-failure", self.context.on_failure.word()),
            ]
            .into_iter()
            .chain(
                self.context
                    .installer_marks
                    .own()
                    .map(|it| ("installer-mark", it)),
            )
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        }
    }
}

fn unknown(function: &Function) -> Fault {
    Fault::other(
        "gate.unknown-function",
        "wreimage",
        format!("the engine does not know {function}"),
    )
}
