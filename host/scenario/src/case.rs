//! One case of a sweep: a call or a record, and what happens there.

use crate::change::{CHANGES, Change, MOMENTS, Moment};
use crate::error::suggestion;
use crate::fault::known;
use crate::kind::Kind;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use wreimage_capability::{Effect, Function, Server, capability};

/// The name that stands for records of the journal instead of calls of a function.
pub(crate) const RECORD: &str = "record";

/// One call, or one record, and what happens there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Such as `ipmi.set-power`, or `record`.
    pub function: String,
    /// Which call of it, or which record, counted from 1.
    pub nth: u64,
    /// What happens.
    pub fault: CaseFault,
}

/// What can happen in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseFault {
    /// The system of the call does not answer this time.
    Unreachable,
    /// The system of the call does not answer from now on.
    Gone,
    /// No answer comes in time, and nothing has happened.
    Timeout,
    /// No answer comes in time, but the call has had its effect.
    TimeoutAfter,
    /// The call is refused for good.
    Rejected,
    /// The system reports the effect without having it.
    Lie,
    /// The process dies before the call, and the run is resumed.
    CrashBefore,
    /// The process dies after the call, before its outcome is recorded, and the run is resumed.
    CrashAfter,
    /// The operator cancels during the call.
    Cancel,
    /// The call has half of its effect and fails.
    Half,
    /// The call is refused, the operator is asked what to do, and cancels at the question.
    AskedCancel,
    /// The call is refused, the process dies at the question, and the run is resumed.
    AskedCrash,
    /// The call is refused, and no operator is attached to the run.
    AskedNobody,
    /// The call is refused, the run pauses at the question, and the answer comes when the run is resumed.
    AskedLater,
    /// The controller loses power after this record, and with it every record that was not synced.
    PowerLoss,
    /// The controller loses power after this record; the first half of the records that were not synced survives.
    PowerLossHalf,
    /// Something changes in the world before the call.
    Changed(Moment, Change),
    /// A second controller begins a run on the same host before the call.
    Rival(Moment),
}

/// All but changes of the world and rivals, with their words and kinds.
const FAULTS: [(CaseFault, &str, Kind); 16] = [
    (CaseFault::Unreachable, "unreachable", Kind::Fault),
    (CaseFault::Gone, "gone", Kind::Fault),
    (CaseFault::Timeout, "timeout", Kind::Fault),
    (CaseFault::TimeoutAfter, "timeout-after", Kind::Fault),
    (CaseFault::Rejected, "rejected", Kind::Fault),
    (CaseFault::Lie, "lie", Kind::Fault),
    (CaseFault::CrashBefore, "crash-before", Kind::Crash),
    (CaseFault::CrashAfter, "crash-after", Kind::Crash),
    (CaseFault::Cancel, "cancel", Kind::Fault),
    (CaseFault::Half, "half", Kind::Partial),
    (CaseFault::AskedCancel, "asked-cancel", Kind::Partial),
    (CaseFault::AskedCrash, "asked-crash", Kind::Partial),
    (CaseFault::AskedNobody, "asked-nobody", Kind::Partial),
    (CaseFault::AskedLater, "asked-later", Kind::Partial),
    (CaseFault::PowerLoss, "power-loss", Kind::Power),
    (CaseFault::PowerLossHalf, "power-loss-half", Kind::Power),
];

/// Functions that can have half of their effect.
const HALVES: [&str; 2] = ["conftool.set-pooled", "puppet.first-run"];

impl CaseFault {
    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = CaseFault> {
        let changes = CHANGES.iter().flat_map(|(change, _)| {
            MOMENTS
                .iter()
                .map(|(moment, _)| CaseFault::Changed(*moment, *change))
        });
        let rivals = MOMENTS.iter().map(|(moment, _)| CaseFault::Rival(*moment));
        FAULTS
            .iter()
            .map(|(fault, _, _)| *fault)
            .chain(changes)
            .chain(rivals)
    }

    fn kind(self) -> Kind {
        match self {
            CaseFault::Changed(..) => Kind::Changed,
            CaseFault::Rival(_) => Kind::Rival,
            other => FAULTS
                .iter()
                .find(|(fault, _, _)| *fault == other)
                .map_or(Kind::Fault, |(_, _, kind)| *kind),
        }
    }

    /// The word for it.
    pub fn word(self) -> Cow<'static, str> {
        match self {
            CaseFault::Changed(moment, change) => {
                Cow::Owned(format!("{}+{}", moment.word(), change.word()))
            }
            CaseFault::Rival(moment) => Cow::Owned(format!("{}+rival", moment.word())),
            other => FAULTS
                .iter()
                .find(|(fault, _, _)| *fault == other)
                .map_or(Cow::Borrowed(""), |(_, word, _)| Cow::Borrowed(*word)),
        }
    }

    /// What the process does while the world changes or a rival begins.
    pub(crate) fn moment(self) -> Option<Moment> {
        match self {
            CaseFault::Changed(moment, _) | CaseFault::Rival(moment) => Some(moment),
            _ => None,
        }
    }

    /// By its word.
    fn read(text: &str) -> Result<Self, String> {
        if let Some((_, fault)) = CaseFault::all()
            .map(|fault| (fault.word(), fault))
            .find(|(word, _)| word == text)
        {
            return Ok(fault);
        }
        let words: Vec<Cow<'static, str>> = CaseFault::all().map(CaseFault::word).collect();
        let near = suggestion(text, words.iter().map(Cow::as_ref));
        Err(format!("there is no fault `{text}`; {near}"))
    }

    /// Whether a call of this function can have it.
    pub(crate) fn fits(self, function: &Function) -> bool {
        let mutates = function.effect.mutates();
        if is_served_by_engine(function) {
            return match self {
                CaseFault::CrashAfter => true,
                // What ends at once has no time before its end.
                CaseFault::CrashBefore | CaseFault::Cancel => function.effect != Effect::Read,
                _ => false,
            };
        }
        match self {
            CaseFault::TimeoutAfter | CaseFault::Lie => mutates,
            CaseFault::Half => HALVES.contains(&function.to_string().as_str()),
            // Steps that only read are asked about in the same way: one class of calls is enough.
            CaseFault::AskedCancel
            | CaseFault::AskedCrash
            | CaseFault::AskedNobody
            | CaseFault::AskedLater => mutates,
            CaseFault::PowerLoss | CaseFault::PowerLossHalf => false,
            // The clock is set around waits: elsewhere no time passes.
            CaseFault::Changed(_, change) if change.clock().is_some() => {
                function.effect == Effect::Wait
            }
            _ => true,
        }
    }

    /// Whether it is put at a record instead of a call.
    pub(crate) fn is_at_record(self) -> bool {
        matches!(self, CaseFault::PowerLoss | CaseFault::PowerLossHalf)
    }

    /// Whether the step of the call is asked about.
    pub(crate) fn is_asked(self) -> bool {
        matches!(
            self,
            CaseFault::AskedCancel
                | CaseFault::AskedCrash
                | CaseFault::AskedNobody
                | CaseFault::AskedLater
        )
    }
}

/// Whether the host itself answers this function.
pub(crate) fn is_served_by_engine(function: &Function) -> bool {
    capability(function.capability).is_some_and(|it| it.server == Server::Engine)
}

impl Case {
    /// Its kind. Whatever is done to a function that the host itself answers is partial.
    pub fn kind(&self) -> Kind {
        let kind = self.fault.kind();
        match wreimage_capability::function(&self.function) {
            Some(function) if is_served_by_engine(function) => Kind::Partial,
            _ => kind,
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
        let function = match name {
            RECORD => None,
            name => Some(known(name)?),
        };
        let nth = nth.parse().ok().filter(|nth| *nth > 0).ok_or_else(wrong)?;
        let fault = CaseFault::read(word)?;
        match function {
            None if !fault.is_at_record() => {
                return Err(format!("a record cannot have {word}: name a function"));
            }
            Some(_) if fault.is_at_record() => {
                return Err(format!(
                    "{word} happens at a record: `{RECORD}#{nth} {word}`"
                ));
            }
            Some(function) if !fault.fits(function) => {
                return Err(
                    if function.effect.mutates() || is_served_by_engine(function) {
                        format!("{name} cannot have {word}")
                    } else {
                        format!("{name} changes nothing: it cannot have {word}")
                    },
                );
            }
            _ => {}
        }
        Ok(Case {
            function: name.to_owned(),
            nth,
            fault,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_case_is_read_as_it_is_printed() {
        for (text, kind) in [
            ("ipmi.set-power#1 timeout", Kind::Fault),
            ("ipmi.set-power#2 crash-after", Kind::Crash),
            ("clock.sleep#1 cancel", Kind::Partial),
            ("clock.now#1 crash-after", Kind::Partial),
            ("conftool.set-pooled#1 half", Kind::Partial),
            ("dhcp.publish#1 asked-cancel", Kind::Partial),
            ("record#57 power-loss", Kind::Power),
            ("ipmi.set-power#1 dies+protected", Kind::Changed),
            ("remote.wait-for-boot#1 alive+clock-back", Kind::Changed),
            ("ipmi.set-power#1 pauses+rival", Kind::Rival),
        ] {
            let case: Case = text.parse().unwrap();
            assert_eq!(case.to_string(), text);
            assert_eq!(case.kind(), kind, "{text}");
        }
    }

    #[test]
    fn a_case_that_cannot_happen_is_refused() {
        for (text, why) in [
            ("ipmi.set-power timeout", "is not a case"),
            ("ipmi.set-power#0 timeout", "is not a case"),
            ("ipmi.get-power-state#1 lie", "changes nothing"),
            ("ipmi.set-power#1 half", "cannot have half"),
            ("clock.now#1 cancel", "cannot have cancel"),
            ("clock.now#1 crash-before", "cannot have crash-before"),
            ("clock.now#1 unreachable", "cannot have unreachable"),
            ("record#3 timeout", "name a function"),
            ("ipmi.set-power#1 dies+clock-back", "cannot have"),
            (
                "ipmi.set-power#1 dies+protectde",
                "did you mean `dies+protected`?",
            ),
            ("ipmi.set-power#1 power-loss", "`record#1 power-loss`"),
            ("ipmi.set-power#1 tiemout", "did you mean `timeout`?"),
        ] {
            let error = text.parse::<Case>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
