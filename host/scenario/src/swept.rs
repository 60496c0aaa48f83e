//! What a sweep of a scenario can do: the cases that its undisturbed run allows, and the disturbance of each.

use crate::answers::Attendance;
use crate::case::{Case, CaseFault, RECORD, is_served_by_engine};
use crate::change::{Change, ChangeAt, Moment};
use crate::context::CaseFacts;
use crate::disturbance::{Asked, Disturbance};
use crate::fault::{Deed, Rule, Trigger, known, made};
use crate::play::Played;
use crate::rival::RivalAt;
use crate::since::RESTARTS;
use crate::stage_log::{AtRecord, Place, RecordDeed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use wreimage_capability::{Effect, FaultKind, Function, function};
use wreimage_journal::{Origin, Outcome, Record};

/// The run without faults, by which the cases are judged.
pub struct Swept {
    /// The run itself.
    pub undisturbed: Played,
    /// What each call answered, by number.
    answers: BTreeMap<u64, Value>,
    /// Calls of the guest that the host itself answered: function, which of its calls, and number.
    served: Vec<(&'static Function, u64, u64)>,
}

impl Swept {
    /// Of a run that was played without faults of a sweep.
    pub fn new(undisturbed: Played) -> Self {
        let mut answers = BTreeMap::new();
        let mut served = Vec::new();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in &undisturbed.entries {
            let Record::Outcome(outcome) = &entry.record else {
                continue;
            };
            if let Ok(value) = &outcome.result {
                answers.insert(outcome.call, value.clone());
            }
            let function = function(&outcome.function).filter(|it| is_served_by_engine(it));
            if let (Some(function), Origin::Guest) = (function, outcome.origin) {
                let count = counts.entry(&outcome.function).or_default();
                *count += 1;
                served.push((function, *count, outcome.call));
            }
        }
        Swept {
            undisturbed,
            answers,
            served,
        }
    }

    /// What the sweep does in a case.
    pub(crate) fn disturbance(&self, case: &Case) -> Result<Disturbance, String> {
        let mut disturbance = self.quiet(case);
        if case.function == RECORD {
            let half = case.fault == CaseFault::PowerLossHalf;
            disturbance.at = Some(AtRecord {
                place: Place::Number(case.nth),
                deed: RecordDeed::LosePower { half },
            });
            return Ok(disturbance);
        }
        let function: &'static Function = known(&case.function)?;
        if let CaseFault::Changed(moment, change) = case.fault {
            self.change(&mut disturbance, function, case, moment, change)?;
            return Ok(disturbance);
        }
        if let CaseFault::Rival(moment) = case.fault {
            let call = self.number(case).ok_or_else(|| self.no_call(case))?;
            disturbance.rival = Some(RivalAt {
                moment,
                function,
                nth: case.nth,
            });
            disturbance.at = self.stops(case, call, moment)?;
            return Ok(disturbance);
        }
        if is_served_by_engine(function) {
            disturbance.at = Some(self.at_served(function, case)?);
        } else {
            disturbance.rules.push(self.rule(function, case)?);
        }
        disturbance.asked = asked(case.fault);
        if let Some(deed) = at_question(case.fault) {
            let place = Place::Question(None);
            disturbance.at = Some(AtRecord { place, deed });
        }
        Ok(disturbance)
    }

    /// A disturbance of this case that does nothing yet.
    fn quiet(&self, case: &Case) -> Disturbance {
        Disturbance {
            rules: Vec::new(),
            at: None,
            asked: None,
            change: None,
            rival: None,
            case: CaseFacts {
                kind: case.kind().word().to_owned(),
                function: case.function.clone(),
                nth: case.nth,
                fault: case.fault.word().into_owned(),
                change: match case.fault {
                    CaseFault::Changed(_, change) => change.word().to_owned(),
                    _ => String::new(),
                },
                moment: case
                    .fault
                    .moment()
                    .map_or_else(String::new, |moment| moment.word().to_owned()),
            },
            undisturbed: Arc::clone(&self.undisturbed.end),
        }
    }

    /// A change in the world before a call, or during a wait that sees nothing when it is the clock that changes.
    fn change(
        &self,
        disturbance: &mut Disturbance,
        function: &'static Function,
        case: &Case,
        moment: Moment,
        change: Change,
    ) -> Result<(), String> {
        let call = self.number(case).ok_or_else(|| self.no_call(case))?;
        disturbance.change = Some(ChangeAt {
            change,
            moment,
            call,
        });
        if change.clock().is_none() {
            disturbance.at = self.stops(case, call, moment)?;
            return Ok(());
        }
        disturbance.rules.push(Rule {
            function,
            trigger: Trigger::Nth(case.nth),
            times: None,
            deed: Deed::Never,
        });
        disturbance.at = stop(moment).map(|deed| AtRecord {
            place: Place::Timer(call),
            deed,
        });
        Ok(())
    }

    /// How the process stops before a call; nothing when it lives on.
    fn stops(&self, case: &Case, call: u64, moment: Moment) -> Result<Option<AtRecord>, String> {
        let Some(deed) = stop(moment) else {
            return Ok(None);
        };
        let first = self.first_record(call).ok_or_else(|| self.no_call(case))?;
        let place = Place::Number(first.saturating_sub(1));
        Ok(Some(AtRecord { place, deed }))
    }

    /// Number of the call of a provider.
    fn number(&self, case: &Case) -> Option<u64> {
        let mut made = self.undisturbed.made.iter();
        made.find(|it| it.function == case.function && it.nth == case.nth)
            .map(|it| it.call)
    }

    /// The first record of a call.
    fn first_record(&self, call: u64) -> Option<u64> {
        let is_of = |record: &Record| match record {
            Record::Intent(it) => it.call == call,
            Record::Outcome(it) => it.call == call,
            Record::Timer(it) => it.call == call,
            Record::Question(it) => it.call == call,
            Record::Progress { call: of, .. } => *of == call,
            _ => false,
        };
        let mut entries = self.undisturbed.entries.iter();
        entries
            .find(|entry| is_of(&entry.record))
            .map(|entry| entry.number)
            // With the header alone there is no run to resume yet.
            .filter(|number| *number > 2)
    }

    /// The event at a call that the host itself answers.
    fn at_served(&self, function: &'static Function, case: &Case) -> Result<AtRecord, String> {
        let same =
            |it: &&(&'static Function, u64, u64)| std::ptr::eq(it.0, function) && it.1 == case.nth;
        let (_, _, call) = self
            .served
            .iter()
            .find(same)
            .ok_or_else(|| self.no_call(case))?;
        let begun = match function.effect {
            Effect::Ask => Place::Question(Some(*call)),
            _ => Place::Timer(*call),
        };
        Ok(match case.fault {
            CaseFault::CrashBefore => AtRecord {
                place: begun,
                deed: RecordDeed::DieAfter,
            },
            CaseFault::Cancel => AtRecord {
                place: begun,
                deed: RecordDeed::Cancel,
            },
            _ => AtRecord {
                place: Place::Outcome(*call),
                deed: RecordDeed::DieBefore,
            },
        })
    }

    /// The rule by which something happens to the call of a provider.
    fn rule(&self, function: &'static Function, case: &Case) -> Result<Rule, String> {
        let fail = |kind, happens| Deed::Fail {
            fault: made(function, kind),
            happens,
        };
        let deed = match case.fault {
            CaseFault::Unreachable | CaseFault::Gone => fail(FaultKind::Unreachable, false),
            CaseFault::Timeout if function.effect == Effect::Wait => Deed::Never,
            CaseFault::Timeout => fail(FaultKind::Timeout, false),
            CaseFault::TimeoutAfter => fail(FaultKind::Timeout, true),
            CaseFault::Lie => Deed::Lie(self.answer(case)?),
            CaseFault::CrashBefore => Deed::CrashBefore,
            CaseFault::CrashAfter => Deed::CrashAfter,
            CaseFault::Cancel => Deed::Cancel,
            CaseFault::Half => Deed::Half,
            CaseFault::Rejected
            | CaseFault::AskedCancel
            | CaseFault::AskedCrash
            | CaseFault::AskedNobody
            | CaseFault::AskedLater
            | CaseFault::PowerLoss
            | CaseFault::PowerLossHalf
            | CaseFault::Changed(..)
            | CaseFault::Rival(_) => fail(FaultKind::Rejected, false),
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
        let number = self.number(case);
        number
            .and_then(|call| self.answers.get(&call))
            .cloned()
            .ok_or_else(|| self.no_call(case))
    }

    fn no_call(&self, case: &Case) -> String {
        format!(
            "without the fault, there is no call {}#{} that succeeds",
            case.function, case.nth
        )
    }

    /// Every distinct call of the undisturbed run with what fits it, then every record.
    pub(crate) fn possible(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        let made = self.undisturbed.made.iter();
        let made = made.filter_map(|made| Some((function(&made.function)?, made.nth, made.call)));
        for (function, nth, call) in made.chain(self.served.iter().copied()) {
            for fault in CaseFault::all().filter(|fault| fault.fits(function)) {
                let succeeded = self.answers.contains_key(&call);
                // Of what ends without a timer, no beginning is recorded.
                let begins = !is_served_by_engine(function)
                    || fault == CaseFault::CrashAfter
                    || self.begins(call);
                let fits = match fault {
                    CaseFault::Lie => succeeded,
                    CaseFault::Changed(moment, change) => self.changes(moment, change, call),
                    CaseFault::Rival(Moment::Alive) => self.is_of_guest(call),
                    CaseFault::Rival(_) => self.first_record(call).is_some(),
                    _ => true,
                };
                if begins && fits {
                    cases.push(Case {
                        function: function.to_string(),
                        nth,
                        fault,
                    });
                }
            }
        }
        let records = self.undisturbed.entries.iter().map(|entry| entry.number);
        // With the last record the run is over.
        let last = self.undisturbed.entries.last().map(|entry| entry.number);
        for number in records.filter(|number| Some(*number) != last) {
            for fault in CaseFault::all().filter(|fault| fault.is_at_record()) {
                cases.push(Case {
                    function: RECORD.to_owned(),
                    nth: number,
                    fault,
                });
            }
        }
        cases
    }

    /// Whether a change makes a difference before this call.
    fn changes(&self, moment: Moment, change: Change, call: u64) -> bool {
        let now = self.undisturbed.situations.get(&call);
        let there_is_time = match moment {
            // A lock that is broken during a restart lets that end: it was confirmed.
            Moment::Alive if change == Change::LockBroken => self.is_of_guest(call),
            // What changes while a check is made, or as a restart is ordered, no check can see.
            Moment::Alive => self.is_of_guest(call) && !self.restarts(call),
            Moment::Dies | Moment::Pauses => self.first_record(call).is_some(),
        };
        there_is_time && now.is_some_and(|now| change.fits(moment, now))
    }

    fn outcome(&self, call: u64) -> Option<&Outcome> {
        let mut entries = self.undisturbed.entries.iter();
        entries.find_map(|entry| match &entry.record {
            Record::Outcome(outcome) if outcome.call == call => Some(outcome),
            _ => None,
        })
    }

    fn is_of_guest(&self, call: u64) -> bool {
        self.outcome(call)
            .is_some_and(|it| it.origin == Origin::Guest)
    }

    fn restarts(&self, call: u64) -> bool {
        self.outcome(call)
            .is_some_and(|it| RESTARTS.contains(&it.function.as_str()))
    }

    /// Whether the beginning of this call is a record.
    fn begins(&self, call: u64) -> bool {
        let mut entries = self.undisturbed.entries.iter();
        entries.any(|entry| match &entry.record {
            Record::Timer(timer) => timer.call == call,
            Record::Question(question) => question.call == call,
            _ => false,
        })
    }
}

/// What the operator does in a case that asks.
fn asked(fault: CaseFault) -> Option<Asked> {
    let (first, resumed) = match fault {
        CaseFault::AskedCancel => (Attendance::Silent, None),
        CaseFault::AskedCrash => (Attendance::Silent, Some(Attendance::Retries)),
        CaseFault::AskedNobody => (Attendance::Nobody, None),
        CaseFault::AskedLater => (Attendance::Later, Some(Attendance::Retries)),
        _ => return None,
    };
    Some(Asked { first, resumed })
}

/// What happens at the question in a case that asks.
fn at_question(fault: CaseFault) -> Option<RecordDeed> {
    match fault {
        CaseFault::AskedCancel => Some(RecordDeed::Cancel),
        CaseFault::AskedCrash => Some(RecordDeed::DieAfter),
        _ => None,
    }
}

/// How a process stops while the world changes or a rival begins.
fn stop(moment: Moment) -> Option<RecordDeed> {
    match moment {
        Moment::Dies => Some(RecordDeed::DieAfter),
        Moment::Pauses => Some(RecordDeed::Pause),
        Moment::Alive => None,
    }
}
