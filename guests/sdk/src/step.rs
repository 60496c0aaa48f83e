//! One step of the runbook while it is being done.

use crate::{Fault, FaultKind, Level};
use std::fmt::Display;

/// What is recorded of the step when it ends. It ends as a success unless something else is reported, and as a failure
/// when its closure returns a fault.
#[derive(Debug)]
pub struct Step {
    pub(crate) level: Level,
    pub(crate) texts: Vec<String>,
    pub(crate) evidence: Vec<(String, String)>,
    /// The operator has decided that the failure of this step ends the run.
    pub(crate) is_decided: bool,
}

impl Step {
    pub(crate) fn new() -> Self {
        Step {
            level: Level::Success,
            texts: Vec::new(),
            evidence: Vec::new(),
            is_decided: false,
        }
    }

    /// What was found or done.
    pub fn says(&mut self, text: impl Into<String>) {
        self.texts.push(text.into());
    }

    /// Done, and this wants attention.
    pub fn warns(&mut self, text: impl Into<String>) {
        self.level = Level::Warning;
        self.texts.push(text.into());
    }

    /// Not done as it should be; the run continues, and fails at its end.
    pub fn fails(&mut self, text: impl Into<String>) {
        self.level = Level::Failure;
        self.texts.push(text.into());
    }

    /// Not done, and why. Returns from the closure are up to the caller.
    pub fn skips(&mut self, why: impl Into<String>) {
        self.level = Level::Skipped;
        self.texts.push(why.into());
    }

    /// Takes a failure that must not stop the run for a warning, which says `what` failed; the value is `None` then.
    ///
    /// # Errors
    /// `cancelled`, which always stops.
    pub fn tolerates<T>(
        &mut self,
        what: &str,
        result: Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(fault) if fault.is(FaultKind::Cancelled) => Err(fault),
            Err(fault) => {
                self.warns(format!("{what}: {}", fault.message));
                self.evidence("fault", &fault.code);
                Ok(None)
            }
        }
    }

    /// A fact that was seen, for whoever has to judge the run later.
    pub fn evidence(&mut self, what: &str, value: impl Display) {
        self.evidence.push((what.to_owned(), value.to_string()));
    }

    pub(crate) fn text(&self) -> String {
        let (last, before) = match self.texts.split_last() {
            Some((last, before)) => (last.as_str(), before),
            None => ("", &[][..]),
        };
        // A text that ends as a sentence becomes part of one.
        before
            .iter()
            .map(|text| text.strip_suffix('.').unwrap_or(text))
            .chain([last])
            .collect::<Vec<_>>()
            .join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_texts_are_one_sentence() {
        let mut step = Step::new();
        assert_eq!(step.text(), "");
        step.says("Went on.");
        step.says("unset");
        assert_eq!(step.text(), "Went on; unset");
    }

    #[test]
    fn a_tolerated_failure_is_a_warning_and_a_cancel_is_not_tolerated() {
        let fails = |kind| Err::<(), _>(Fault::new(kind, "test.no", "test", "no answer"));
        let mut step = Step::new();
        assert_eq!(
            step.tolerates("cannot", fails(FaultKind::Unreachable)),
            Ok(None)
        );
        assert_eq!(
            (&step.level, step.text().as_str()),
            (&Level::Warning, "cannot: no answer")
        );
        assert!(
            step.tolerates("cannot", fails(FaultKind::Cancelled))
                .is_err()
        );
    }
}
