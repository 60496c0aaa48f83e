//! Doing something that may fail or not end, with a person to decide how to go on.

use crate::prompt::{self, Answer};
use crate::{Fault, FaultKind, Step};

/// What the operator is offered when something fails. Each text says what the answer does; an answer without one is not
/// offered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offers<'a> {
    /// Do it again. Offered when it failed.
    pub retry: Option<&'a str>,
    /// Wait as long again. Offered when a deadline passed, instead of `retry`.
    pub wait: Option<&'a str>,
    /// Go on without it.
    pub skip: Option<&'a str>,
    /// End the run. Always offered.
    pub abort: &'a str,
}

impl<'a> Offers<'a> {
    fn at(&self, fault: &Fault) -> Vec<(Answer, &'a str)> {
        let again = match (fault.is(FaultKind::Timeout), self.wait, self.retry) {
            (true, Some(wait), _) => Some((Answer::Wait, wait)),
            (_, _, Some(retry)) => Some((Answer::Retry, retry)),
            _ => None,
        };
        let skip = self.skip.map(|skip| (Answer::Skip, skip));
        let mut answers: Vec<_> = again.into_iter().chain(skip).collect();
        if !answers.is_empty() {
            answers.push((Answer::Abort, self.abort));
        }
        answers
    }
}

/// Does the work; when it fails, the operator chooses from the offers, any number of times. `None` when they chose to go
/// on without it: the step ends with a warning then, as it does after a retry.
///
/// # Errors
/// `cancelled`; the fault of the work when the operator chose to end the run, nothing but the end was on offer, or nobody
/// could be asked.
pub fn attempt<T>(
    offers: &Offers<'_>,
    step: &mut Step,
    mut work: impl FnMut(&mut Step) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    loop {
        let fault = match work(step) {
            Ok(value) => return Ok(Some(value)),
            Err(fault) => fault,
        };
        let answers = offers.at(&fault);
        if fault.is(FaultKind::Cancelled) || answers.is_empty() {
            return Err(fault);
        }
        match prompt::choose(&fault.message, &answers) {
            Ok(Answer::Retry) => {
                step.warns(format!("{}; the operator had it retried", fault.message))
            }
            Ok(Answer::Wait) => step.warns("The deadline passed; the operator decided to wait on"),
            Ok(Answer::Skip) => {
                step.warns(format!(
                    "{}; the operator decided to go on without",
                    fault.message
                ));
                return Ok(None);
            }
            Ok(Answer::Abort) => {
                step.is_decided = true;
                return Err(fault.and("The operator decided to stop."));
            }
            Err(nobody) if nobody.code == prompt::NOBODY => {
                return Err(fault.and("Nobody could be asked how to go on."));
            }
            Err(other) => return Err(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERS: Offers<'static> = Offers {
        retry: Some("again"),
        wait: Some("longer"),
        skip: Some("without"),
        abort: "stop",
    };

    fn keys(offers: &Offers<'_>, kind: FaultKind) -> Vec<&'static str> {
        let fault = Fault::new(kind, "test", "test", "no");
        offers.at(&fault).iter().map(|(a, _)| a.key()).collect()
    }

    #[test]
    fn a_deadline_offers_to_wait_and_a_failure_to_retry() {
        assert_eq!(keys(&OFFERS, FaultKind::Timeout), ["wait", "skip", "abort"]);
        assert_eq!(
            keys(&OFFERS, FaultKind::Rejected),
            ["retry", "skip", "abort"]
        );
        let impatient = Offers {
            wait: None,
            ..OFFERS
        };
        assert_eq!(
            keys(&impatient, FaultKind::Timeout),
            ["retry", "skip", "abort"]
        );
    }

    #[test]
    fn where_only_the_end_is_left_nobody_is_asked() {
        let waits = Offers {
            retry: None,
            skip: None,
            ..OFFERS
        };
        assert_eq!(keys(&waits, FaultKind::Timeout), ["wait", "abort"]);
        assert!(keys(&waits, FaultKind::Denied).is_empty());
    }
}
