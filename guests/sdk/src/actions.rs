//! The action log: what was done, how it went, and what follows for the verdict.

use crate::bindings::wreimage::run::run;
use crate::failure::{self, Decision, OnFailure};
use crate::{Fault, Level, Outcome, Step, Verdict, note, text};
use std::time::Duration;

use crate::wait_policy::millis;

/// Bytes of what a step has found, in the summary of a run: the whole is in the step.
const FINDING_LIMIT: usize = 160;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Phase of the runbook.
    pub phase: String,
    /// Name of the step, or empty for a note.
    pub name: String,
    /// How it ended.
    pub level: Level,
    /// What was found.
    pub text: String,
}

impl Action {
    /// The step and what it found: the name alone would read as an order.
    fn finding(&self) -> String {
        let found = text::line(&self.text, FINDING_LIMIT);
        let found = found.strip_suffix('.').unwrap_or(&found);
        match (self.name.as_str(), found) {
            ("", found) => found.to_owned(),
            (name, "") => format!("\"{name}\""),
            (name, found) => format!("\"{name}\": {found}"),
        }
    }
}

/// Everything that the guest has done so far.
#[derive(Debug, Default)]
pub struct Actions {
    done: Vec<Action>,
    /// What the operator wants of steps that fail, once it was asked for.
    on_failure: Option<OnFailure>,
}

impl Actions {
    /// Nothing yet.
    pub fn new() -> Self {
        Actions::default()
    }

    /// What was done, in order.
    pub fn done(&self) -> &[Action] {
        &self.done
    }

    /// The steps of a phase are begun from what this returns.
    pub fn phase(&mut self, name: &'static str) -> Phase<'_> {
        Phase {
            name,
            actions: self,
        }
    }

    /// Reports something that is not the end of a step, and remembers it for the verdict.
    ///
    /// # Errors
    /// None.
    pub fn note(&mut self, level: Level, text: &str) -> Result<(), Fault> {
        note(level.clone(), text)?;
        self.remember("", "", level, text.to_owned());
        Ok(())
    }

    /// Failed when something failed, warnings when something wants attention, else success.
    pub fn verdict(&self) -> Verdict {
        let any = |level| self.done.iter().any(|action| action.level == level);
        if any(Level::Failure) {
            Verdict::Failed
        } else if any(Level::Warning) {
            Verdict::Warnings
        } else {
            Verdict::Success
        }
    }

    /// The outcome of a run that came to its end: the headline, and the steps that want attention, with what
    /// they found.
    pub fn outcome(&self, headline: &str) -> Outcome {
        let unwell = |action: &&Action| matches!(action.level, Level::Warning | Level::Failure);
        let unwell: Vec<String> = self
            .done
            .iter()
            .filter(unwell)
            .map(Action::finding)
            .collect();
        let mut summary = headline.to_owned();
        if !unwell.is_empty() {
            summary.push_str(&format!(" Look at: {}.", unwell.join("; ")));
        }
        Outcome {
            verdict: self.verdict(),
            summary,
            extra: Vec::new(),
        }
    }

    pub(crate) fn remember(&mut self, phase: &str, name: &str, level: Level, text: String) {
        self.done.push(Action {
            phase: phase.to_owned(),
            name: name.to_owned(),
            level,
            text,
        });
    }
}

/// One phase of the runbook: begins its steps.
#[derive(Debug)]
pub struct Phase<'a> {
    name: &'static str,
    actions: &'a mut Actions,
}

impl Phase<'_> {
    /// Begins a step, does it, and ends it with what the closure found. A fault ends the step as a failure and is
    /// returned; but first the operator decides whether it is done once more, left out or the end, if the run was started
    /// with `--on-failure ask` or `pause`.
    ///
    /// # Errors
    /// The closure's fault.
    pub fn step(
        &mut self,
        name: &str,
        work: impl FnMut(&mut Step) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.begin(name, None, || Some(()), work)
    }

    /// As [`step`](Phase::step), for a step that usually takes that long.
    ///
    /// # Errors
    /// The closure's fault.
    pub fn long_step(
        &mut self,
        name: &str,
        usually: Duration,
        work: impl FnMut(&mut Step) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.begin(name, Some(usually), || Some(()), work)
    }

    /// As [`step`](Phase::step), for work whose value is needed, so that it cannot be left out.
    ///
    /// # Errors
    /// The closure's fault.
    pub fn value<T>(
        &mut self,
        name: &str,
        work: impl FnMut(&mut Step) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.begin(name, None, || None, work)
    }

    /// As [`value`](Phase::value), for a step that usually takes that long.
    ///
    /// # Errors
    /// The closure's fault.
    pub fn long_value<T>(
        &mut self,
        name: &str,
        usually: Duration,
        work: impl FnMut(&mut Step) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.begin(name, Some(usually), || None, work)
    }

    /// As [`step`](Phase::step), unless there is a reason not to do it: then it ends as skipped, says the reason, and the
    /// value is `None`.
    ///
    /// # Errors
    /// The closure's fault.
    pub fn step_unless<T>(
        &mut self,
        name: &str,
        why_not: Option<String>,
        mut work: impl FnMut(&mut Step) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        match why_not {
            None => self.begin(name, None, || Some(None), |step| work(step).map(Some)),
            Some(why) => self.skipped(name, why),
        }
    }

    /// As [`step_unless`](Phase::step_unless), for a step that usually takes that long.
    ///
    /// # Errors
    /// The closure's fault.
    pub fn long_step_unless<T>(
        &mut self,
        name: &str,
        why_not: Option<String>,
        usually: Duration,
        mut work: impl FnMut(&mut Step) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        match why_not {
            None => self.begin(
                name,
                Some(usually),
                || Some(None),
                |step| work(step).map(Some),
            ),
            Some(why) => self.skipped(name, why),
        }
    }

    fn skipped<T>(&mut self, name: &str, why: String) -> Result<Option<T>, Fault> {
        self.begin(
            name,
            None,
            || None,
            |step| {
                step.skips(&why);
                Ok(None)
            },
        )
    }

    fn begin<T>(
        &mut self,
        name: &str,
        usually: Option<Duration>,
        without: impl Fn() -> Option<T>,
        mut work: impl FnMut(&mut Step) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        run::step_begin(self.name, name, usually.map(millis))?;
        let mut step = Step::new();
        let result = loop {
            let fault = match work(&mut step) {
                Ok(value) => break Ok(value),
                Err(fault) => fault,
            };
            let instead = without();
            match failure::decide(
                &mut self.actions.on_failure,
                name,
                &fault,
                !step.is_decided,
                instead.is_some(),
            ) {
                Decision::Retry => step.warns(format!(
                    "{}; the operator had it done once more",
                    fault.message
                )),
                Decision::Skip => {
                    step.warns(format!("{}; the operator left it out", fault.message));
                    break instead.ok_or(fault);
                }
                Decision::End => break Err(fault),
            }
        };
        if let Err(fault) = &result {
            step.level = Level::Failure;
            step.says(fault.message.clone());
            step.evidence("fault", &fault.code);
        }
        let told = run::step_end(&step.level, &step.text(), &step.evidence);
        self.actions
            .remember(self.name, name, step.level.clone(), step.text());
        // The fault of the work matters more than one of telling about it.
        let value = result?;
        told?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_action_is_the_verdict() {
        let mut actions = Actions::new();
        assert_eq!(actions.verdict(), Verdict::Success);
        actions.remember("p", "a", Level::Skipped, String::new());
        assert_eq!(actions.verdict(), Verdict::Success);
        actions.remember("p", "b", Level::Warning, "look".to_owned());
        assert_eq!(actions.verdict(), Verdict::Warnings);
        actions.remember("p", "c", Level::Failure, String::new());
        assert_eq!(actions.verdict(), Verdict::Failed);
    }

    #[test]
    fn the_summary_says_what_was_found_and_gives_no_orders() {
        let mut actions = Actions::new();
        assert_eq!(actions.outcome("Done.").summary, "Done.");
        let mut add = |name: &str, level, text: &str| {
            actions.remember("p", name, level, text.to_owned());
        };
        add("Ping it", Level::Success, "it answers");
        add("Remove it", Level::Warning, "it is\nstill there.");
        add("Look at it", Level::Failure, "");
        add("", Level::Warning, "the moon is full");
        assert_eq!(
            actions.outcome("Done.").summary,
            "Done. Look at: \"Remove it\": it is still there; \"Look at it\"; the moon is full."
        );
        actions.remember("p", "Long", Level::Warning, "x".repeat(10_000));
        assert!(actions.outcome("Done.").summary.len() < 300);
    }
}
