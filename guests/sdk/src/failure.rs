//! What becomes of a step that fails, when the operator wants to decide it.

use crate::bindings::wreimage::run::run;
use crate::prompt::{self, Answer};
use crate::{Fault, FaultKind};

/// The key in the request under which the host says what steps that fail do.
const KEY: &str = "on-failure";

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

/// Asks the operator, if that is wanted. `can_ask`: they have not decided already that this failure ends the run. `can_skip`:
/// the runbook can continue without the step.
pub(crate) fn decide(
    wanted: &mut Option<OnFailure>,
    step: &str,
    fault: &Fault,
    can_ask: bool,
    can_skip: bool,
) -> Decision {
    if !can_ask
        || fault.is(FaultKind::Cancelled)
        || *wanted.get_or_insert_with(wanted_by_request) == OnFailure::End
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

/// What the request asks for.
fn wanted_by_request() -> OnFailure {
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
    fn what_was_asked_is_not_asked_again_and_a_cancel_is_no_failure() {
        let fault = Fault::new(FaultKind::Timeout, "t", "t", "no");
        let mut wanted = Some(OnFailure::Ask);
        let end = decide(&mut wanted, "s", &fault, false, true);
        assert_eq!(end, Decision::End);
        let cancelled = Fault::new(FaultKind::Cancelled, "c", "c", "no");
        assert_eq!(
            decide(&mut wanted, "s", &cancelled, true, true),
            Decision::End
        );
        let mut never = Some(OnFailure::End);
        assert_eq!(decide(&mut never, "s", &fault, true, true), Decision::End);
    }
}
