//! Trying again.

use crate::{Fault, FaultKind, clock};
use std::time::Duration;

/// How often something is tried, and how long to pause before it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Attempts in all; none counts as one.
    pub tries: u32,
    /// Between two attempts; constant.
    pub pause: Duration,
}

/// Calls `attempt` with the number of the attempt, from 1, until it succeeds or `tries` are used up.
///
/// # Errors
/// The fault of the last attempt. At once, without another attempt, a fault that another attempt cannot mend or may make
/// worse: `cancelled`, `denied` (BMCs lock accounts after some wrong passwords), `unsupported`, `in-doubt`.
pub fn retry<T>(
    tries: Tries,
    mut attempt: impl FnMut(u32) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut number = 1;
    loop {
        match attempt(number) {
            Ok(value) => return Ok(value),
            Err(fault) if number >= tries.tries || is_final(&fault.kind) => return Err(fault),
            Err(_) => clock::sleep(tries.pause)?,
        }
        number += 1;
    }
}

/// As [`retry`], but only a fault that calls itself worth another try is tried again.
///
/// # Errors
/// The fault of the last attempt.
pub fn retry_if_worth<T>(
    tries: Tries,
    mut attempt: impl FnMut(u32) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut number = 1;
    loop {
        match attempt(number) {
            Err(fault) if fault.retryable && number < tries.tries && !is_final(&fault.kind) => {
                clock::sleep(tries.pause)?;
            }
            ended => return ended,
        }
        number += 1;
    }
}

fn is_final(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Cancelled | FaultKind::Denied | FaultKind::Unsupported | FaultKind::InDoubt
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Tries = Tries {
        tries: 1,
        pause: Duration::ZERO,
    };

    #[test]
    fn one_try_returns_its_fault() {
        let mut calls = 0;
        let answer: Result<(), _> = retry(NONE, |number| {
            calls = number;
            Err(Fault::new(FaultKind::Rejected, "test.no", "test", "no"))
        });
        assert_eq!((calls, answer.unwrap_err().code.as_str()), (1, "test.no"));
    }

    #[test]
    fn a_wrong_password_is_not_tried_again() {
        let patient = Tries { tries: 9, ..NONE };
        let mut calls = 0;
        let answer: Result<(), _> = retry(patient, |number| {
            calls = number;
            Err(Fault::new(FaultKind::Denied, "test.no", "test", "no"))
        });
        assert!(answer.is_err());
        assert_eq!(calls, 1);
    }
    #[test]
    fn what_is_not_worth_another_try_gets_none() {
        let patient = Tries { tries: 9, ..NONE };
        let mut calls = 0;
        let answer: Result<(), _> = retry_if_worth(patient, |number| {
            calls = number;
            Err(Fault::new(FaultKind::Rejected, "test.no", "test", "no"))
        });
        assert!(answer.is_err());
        assert_eq!(calls, 1);
    }
}
