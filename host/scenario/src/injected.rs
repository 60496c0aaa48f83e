//! Providers of the lab to whose calls things happen.

use crate::fault::Deed;
use crate::inject::{Happening, SECRET, Stage};
use serde_json::Value;
use std::sync::Arc;
use wreimage_capability::puppet::AgentRun;
use wreimage_capability::{Answer, BoxFuture, Call, Dispatch, Fault, Function, Polled, Reconciled};

/// A provider of the lab to whose calls things happen.
pub(crate) struct Injected {
    pub inner: Arc<dyn Dispatch>,
    pub stage: Arc<Stage>,
}

impl Injected {
    async fn perform(
        &self,
        call: &Call,
        function: &'static Function,
        arguments: &Value,
    ) -> Result<Answer, Fault> {
        let stage = &self.stage;
        stage.death.holds_up().await;
        stage.watch(call.sequence);
        stage.change_during(call.sequence).await;
        let nth = stage.nth(function, call.sequence);
        if let Some(meeting) = &stage.meeting {
            meeting.wait(function, nth).await;
        }
        stage.judge(function, arguments, nth, call.sequence);
        if stage.sweeps() && arguments.to_string().contains(SECRET) {
            stage.state().leaked = true;
        }
        let deeds = stage.deeds(function, nth, call.sequence)?;
        if stage.sweeps() && !deeds.is_empty() {
            call.progress(stage.slip("logging in"));
        }
        for it in &deeds {
            match it.deed {
                Deed::Meanwhile(other, given) if it.first => stage.meanwhile(other, given).await,
                Deed::Delay(span) if it.first_of_call => {
                    stage.delay(*span, function, arguments).await?;
                }
                Deed::Cancel if it.first => stage.state().cancel.cancel(),
                Deed::CrashBefore if it.first => self.die().await,
                _ => {}
            }
        }
        let half = deeds
            .iter()
            .any(|it| matches!(it.deed, Deed::Half) && it.first);
        let answer = match self.instead(&deeds) {
            Some(answer) => answer,
            None if half => stage.half(function, arguments),
            None => self.made(&deeds, call, function, arguments).await,
        };
        if deeds
            .iter()
            .any(|it| matches!(it.deed, Deed::CrashAfter) && it.first)
        {
            self.die().await;
        }
        answer.map(|answer| match answer {
            Polled::Pending { why, again } => Polled::Pending {
                why: stage.slip(&why),
                again,
            },
            ready @ Polled::Ready(_) => ready,
        })
    }

    /// What is answered instead of making the call.
    fn instead(&self, deeds: &[Happening<'_>]) -> Option<Result<Answer, Fault>> {
        deeds.iter().find_map(|it| match it.deed {
            Deed::Fail {
                fault,
                happens: false,
            } => Some(Err(self.stage.planted(fault))),
            Deed::Never => Some(Ok(Polled::pending("nothing yet, as the scenario has it"))),
            Deed::Lie(answer) => Some(Ok(Polled::Ready(answer.clone()))),
            _ => None,
        })
    }

    /// Makes the call; what becomes of its answer.
    async fn made(
        &self,
        deeds: &[Happening<'_>],
        call: &Call,
        function: &'static Function,
        arguments: &Value,
    ) -> Result<Answer, Fault> {
        let mut answer = self.inner.perform(call, function, arguments).await;
        for it in deeds {
            match it.deed {
                Deed::Fail {
                    fault,
                    happens: true,
                } => return Err(self.stage.planted(fault)),
                Deed::Noise(noise) => {
                    if let Ok(Polled::Ready(value)) = &mut answer {
                        let mut noisy = value.clone();
                        // A word such as a state is no text that a program printed.
                        if lay(&mut noisy, noise) && (function.understand)(&noisy).is_ok() {
                            *value = noisy;
                            self.stage.fire(it.index);
                        }
                    }
                }
                Deed::Answer(value) => answer = Ok(Polled::Ready(value.clone())),
                _ => {}
            }
        }
        answer
    }

    /// The process of the host is gone: nothing comes back.
    async fn die(&self) {
        self.stage.death.die();
        std::future::pending::<()>().await;
    }
}

impl Dispatch for Injected {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(Injected::perform(self, call, function, arguments))
    }

    fn witness<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        Box::pin(async move {
            self.stage.death.holds_up().await;
            let nth = self.stage.nth(function, call.sequence);
            match self.stage.out_of_reach(function, nth) {
                Some(fault) => Err(fault),
                None => self.inner.witness(call, function, arguments).await,
            }
        })
    }

    fn reconcile<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
        witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>> {
        Box::pin(async move {
            self.stage.death.holds_up().await;
            let nth = self.stage.nth(function, call.sequence);
            match self.stage.out_of_reach(function, nth) {
                Some(fault) => Err(fault),
                None => {
                    self.inner
                        .reconcile(call, function, arguments, witness)
                        .await
                }
            }
        })
    }
}

/// Fields that hold what a program printed.
const PRINTED: [&str; 7] = [
    "output",
    "output_tail",
    "stdout_tail",
    "stderr_tail",
    "tail",
    "text",
    "body",
];

/// Lays a text before what was printed; whether anything was.
fn lay(answer: &mut Value, noise: &str) -> bool {
    match answer {
        Value::String(text) => {
            text.insert_str(0, noise);
            true
        }
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, value)| value.is_string() && PRINTED.contains(&name.as_str()))
            .map(|(_, text)| lay(text, noise))
            .fold(false, |any, laid| any | laid),
        _ => false,
    }
}

impl Stage {
    /// Half of a call's effect, and how it fails.
    fn half(&self, function: &'static Function, arguments: &Value) -> Result<Answer, Fault> {
        match (function.capability, function.name) {
            ("conftool", "set-pooled") => {
                let value = arguments.get("value").and_then(Value::as_str);
                let (written, others) = self
                    .lab
                    .change(|world| world.pool_first(&self.host, value.unwrap_or_default()));
                Err(self.planted(&Fault::other(
                    "conftool.incomplete",
                    "conftool",
                    format!(
                        "the object of {} was written, and then the connection broke; not written: {}",
                        written.join(", "),
                        others.join(", ")
                    ),
                )))
            }
            ("puppet", "first-run") => {
                self.lab
                    .change(|world| world.first_run_stops_half_way(&self.host));
                let run = AgentRun {
                    status: 1,
                    succeeded: false,
                    output_tail:
                        "Error: /Stage[main]/Raid/Exec[raid-check]: Could not evaluate: timed out\n"
                            .to_owned(),
                    blob: None,
                    extra: Vec::new(),
                };
                let answer = serde_json::to_value(run).unwrap_or_default();
                Ok(Polled::Ready(answer))
            }
            _ => Err(Fault::other(
                "scenario.half",
                "the scenario",
                format!("{function} has no half effect"),
            )),
        }
    }
}
