//! A scenario, once for every call and every fault that the call can have.

use crate::context::CaseFacts;
use crate::error::{PlayError, suggestion};
use crate::fault::{Deed, Rule, Trigger, made};
use crate::play::{Disturbance, Played, Subject, played};
use crate::scenario::Scenario;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use wreimage_capability::{Effect, FaultKind, Function, function};
use wreimage_journal::Record;

/// One call with one fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Such as `ipmi.set-power`.
    pub function: String,
    /// The how-manieth call of it, from 1.
    pub nth: u64,
    /// What happens to it.
    pub fault: CaseFault,
}

/// What can happen to a call in a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseFault {
    /// Its system does not answer this time.
    Unreachable,
    /// Its system does not answer from now on.
    Gone,
    /// No answer comes in time, and nothing has happened.
    Timeout,
    /// No answer comes in time, but it has happened.
    TimeoutAfter,
    /// It is refused for good.
    Rejected,
    /// It is said to have been done, and was not.
    Lie,
    /// The host dies before it, and the run is resumed.
    CrashBefore,
    /// The host dies after it, and the run is resumed.
    CrashAfter,
    /// The operator cancels meanwhile.
    Cancel,
}

/// All, as they are called.
const FAULTS: [(CaseFault, &str); 9] = [
    (CaseFault::Unreachable, "unreachable"),
    (CaseFault::Gone, "gone"),
    (CaseFault::Timeout, "timeout"),
    (CaseFault::TimeoutAfter, "timeout-after"),
    (CaseFault::Rejected, "rejected"),
    (CaseFault::Lie, "lie"),
    (CaseFault::CrashBefore, "crash-before"),
    (CaseFault::CrashAfter, "crash-after"),
    (CaseFault::Cancel, "cancel"),
];

impl CaseFault {
    /// The word for it.
    pub fn word(self) -> &'static str {
        FAULTS
            .iter()
            .find(|(fault, _)| *fault == self)
            .map_or("", |(_, word)| word)
    }

    /// Whether a call of this class can have it.
    fn fits(self, effect: Effect) -> bool {
        match self {
            CaseFault::TimeoutAfter | CaseFault::Lie => effect.mutates(),
            _ => true,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{} {}", self.function, self.nth, self.fault.word())
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a case such as `ipmi.set-power#1 timeout`");
        let (call, word) = text.split_once(' ').ok_or_else(wrong)?;
        let (name, nth) = call.split_once('#').ok_or_else(wrong)?;
        let function = crate::fault::provided(name)?;
        let nth = nth.parse().ok().filter(|nth| *nth > 0).ok_or_else(wrong)?;
        let (fault, _) = FAULTS.iter().find(|(_, it)| *it == word).ok_or_else(|| {
            let words = FAULTS.iter().map(|(_, word)| *word);
            format!("there is no fault `{word}`; {}", suggestion(word, words))
        })?;
        if !fault.fits(function.effect) {
            return Err(format!("{name} changes nothing: it cannot have {word}"));
        }
        Ok(Case {
            function: name.to_owned(),
            nth,
            fault: *fault,
        })
    }
}

/// The run without faults, by which the cases are judged.
pub struct Swept {
    /// It.
    pub undisturbed: Played,
    /// What each call answered, by number.
    answers: BTreeMap<u64, Value>,
}

impl Swept {
    /// Of a run that was played without faults of a sweep.
    pub fn new(undisturbed: Played) -> Self {
        let answers = undisturbed
            .entries
            .iter()
            .filter_map(|entry| match &entry.record {
                Record::Outcome(outcome) => Some((outcome.call, outcome.result.clone().ok()?)),
                _ => None,
            })
            .collect();
        Swept {
            undisturbed,
            answers,
        }
    }

    /// What happens in a case.
    fn rule(&self, case: &Case) -> Result<Rule, String> {
        let function: &'static Function = crate::fault::provided(&case.function)?;
        let fail = |kind, happens| Deed::Fail {
            fault: made(function, kind),
            happens,
        };
        let deed = match case.fault {
            CaseFault::Unreachable | CaseFault::Gone => fail(FaultKind::Unreachable, false),
            CaseFault::Timeout if function.effect == Effect::Wait => Deed::Never,
            CaseFault::Timeout => fail(FaultKind::Timeout, false),
            CaseFault::TimeoutAfter => fail(FaultKind::Timeout, true),
            CaseFault::Rejected => fail(FaultKind::Rejected, false),
            CaseFault::Lie => Deed::Lie(self.answer(case)?),
            CaseFault::CrashBefore => Deed::CrashBefore,
            CaseFault::CrashAfter => Deed::CrashAfter,
            CaseFault::Cancel => Deed::Cancel,
        };
        let trigger = match case.fault {
            CaseFault::Gone => Trigger::Gone(case.nth),
            _ => Trigger::Nth(case.nth),
        };
        Ok(Rule {
            function,
            trigger,
            times: None,
            deed,
        })
    }

    /// What the call answered without the fault.
    fn answer(&self, case: &Case) -> Result<Value, String> {
        let made = self
            .undisturbed
            .made
            .iter()
            .find(|it| it.function == case.function && it.nth == case.nth);
        made.and_then(|it| self.answers.get(&it.call))
            .cloned()
            .ok_or_else(|| {
                format!(
                    "without the fault, there is no call {}#{} that succeeds",
                    case.function, case.nth
                )
            })
    }
}

/// Every distinct call of the undisturbed run with every fault that it can have.
pub fn cases(swept: &Swept) -> Vec<Case> {
    let mut cases = Vec::new();
    for made in &swept.undisturbed.made {
        let Some(function) = function(&made.function) else {
            continue;
        };
        for (fault, _) in FAULTS {
            let succeeded = swept.answers.contains_key(&made.call);
            if fault.fits(function.effect) && (fault != CaseFault::Lie || succeeded) {
                cases.push(Case {
                    function: made.function.clone(),
                    nth: made.nth,
                    fault,
                });
            }
        }
    }
    cases
}

/// Plays the scenario with the fault of a case.
///
/// # Errors
/// When it cannot be played, or the run does not end.
pub async fn sweep_case(
    subject: &Subject,
    scenario: &Scenario,
    swept: &Swept,
    case: &Case,
) -> Result<Played, PlayError> {
    let rule = swept.rule(case).map_err(|what| scenario.wrong(what))?;
    let disturbance = Disturbance {
        rule,
        case: CaseFacts {
            function: case.function.clone(),
            nth: case.nth,
            fault: case.fault.word().to_owned(),
        },
        undisturbed: Arc::clone(&swept.undisturbed.end),
    };
    played(subject, scenario, Some(&disturbance)).await
}
