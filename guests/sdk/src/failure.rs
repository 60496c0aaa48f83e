//! What becomes of a step that fails, when the operator wants to decide it.

use crate::bindings::wreimage::run::run;
use crate::prompt::{self, Answer};
use crate::{Fault, FaultKind};
use std::any::Any;

/// The key in the request under which the host says what steps that fail do.
const KEY: &str = "on-failure";

/// Stands in the extras of a fault of which the operator has been asked already.
const ASKED: &str = "asked";

/// What a step that fails does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// It ends the run.
    End,
    /// The operator decides.
    Ask,
}

/// How to go on after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Retry,
    Skip,
    End,
}

/// The same fault, of which the operator need not be asked any more.
pub(crate) fn asked(mut fault: Fault) -> Fault {
    fault.extra.push((ASKED.to_owned(), String::new()));
    fault
}

/// The value of a step that is left out: there is one only when a step returns nothing.
pub(crate) fn nothing<T: 'static>() -> Option<T> {
    let mut value: Option<T> = None;
    if let Some(unit) = (&mut value as &mut dyn Any).downcast_mut::<Option<()>>() {
        *unit = Some(());
    }
    value
}

/// Asks the operator, if that is wanted. `can_skip`: the runbook can go on without the step.
pub(crate) fn decide(
    wanted: &mut Option<OnFailure>,
    step: &str,
    fault: &Fault,
    can_skip: bool,
) -> Decision {
    let was_asked = fault.extra.iter().any(|(key, _)| key == ASKED);
    if was_asked
        || fault.is(FaultKind::Cancelled)
        || *wanted.get_or_insert_with(told) == OnFailure::End
    {
        return Decision::End;
    }
    let mut answers = vec![(Answer::Retry, "do the step once more")];
    if can_skip {
        answers.push((
            Answer::Skip,
            "go on without it, or after it was done by hand",
        ));
    }
    answers.push((
        Answer::Abort,
        "end the run, and take back what must not stay",
    ));
    let question = format!("\"{step}\" has failed: {}", fault.message);
    match prompt::choose(&question, &answers) {
        Ok(Answer::Retry) => Decision::Retry,
        Ok(Answer::Skip) => Decision::Skip,
        Ok(Answer::Wait | Answer::Abort) | Err(_) => Decision::End,
    }
}

/// What the request says.
fn told() -> OnFailure {
    let request = run::get_request();
    let extra = request.map(|request| request.extra).unwrap_or_default();
    match extra.iter().find(|(key, _)| key == KEY) {
        Some((_, word)) if word == "ask" || word == "pause" => OnFailure::Ask,
        _ => OnFailure::End,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nothing_can_be_left_out() {
        assert_eq!(nothing::<()>(), Some(()));
        assert_eq!(nothing::<u32>(), None);
        assert_eq!(nothing::<String>(), None);
    }

    #[test]
    fn what_was_asked_is_not_asked_again_and_a_cancel_is_no_failure() {
        let fault = Fault::new(FaultKind::Timeout, "t", "t", "no");
        let mut wanted = Some(OnFailure::Ask);
        let end = decide(&mut wanted, "s", &asked(fault.clone()), true);
        assert_eq!(end, Decision::End);
        let cancelled = Fault::new(FaultKind::Cancelled, "c", "c", "no");
        assert_eq!(decide(&mut wanted, "s", &cancelled, true), Decision::End);
        let mut never = Some(OnFailure::End);
        assert_eq!(decide(&mut never, "s", &fault, true), Decision::End);
    }
}
