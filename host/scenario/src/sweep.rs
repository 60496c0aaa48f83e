//! A scenario, once for every case of its sweep.

use crate::case::{Case, CaseFault};
use crate::error::PlayError;
use crate::kind::Kind;
use crate::play::{Played, Subject, played};
use crate::scenario::Scenario;
use crate::swept::Swept;
use std::collections::BTreeMap;
use wreimage_journal::Record;

/// The cases of these kinds, in the order of the kinds and of the run.
///
/// # Errors
/// When a run that finds out what is asked about does not end.
pub async fn cases(
    subject: &Subject,
    scenario: &Scenario,
    swept: &Swept,
    kinds: &[Kind],
) -> Result<Vec<Case>, PlayError> {
    let mut cases = swept.possible();
    cases.retain(|case| kinds.contains(&case.kind()));
    let mut chosen = Vec::with_capacity(cases.len());
    let mut asks: BTreeMap<(String, u64), bool> = BTreeMap::new();
    for case in cases {
        if case.fault.is_asked() {
            let call = (case.function.clone(), case.nth);
            let is_asked = match asks.get(&call) {
                Some(known) => *known,
                None => {
                    let is_asked = is_asked_about(subject, scenario, swept, &case).await?;
                    asks.insert(call, is_asked);
                    is_asked
                }
            };
            if !is_asked {
                continue;
            }
        }
        chosen.push(case);
    }
    chosen.sort_by_key(Case::kind);
    Ok(chosen)
}

/// Whether the operator is asked when this call is refused: what a step tolerates, no one is asked about.
async fn is_asked_about(
    subject: &Subject,
    scenario: &Scenario,
    swept: &Swept,
    case: &Case,
) -> Result<bool, PlayError> {
    let nobody = Case {
        fault: CaseFault::AskedNobody,
        ..case.clone()
    };
    let tried = sweep_case(subject, scenario, swept, &nobody).await?;
    let mut entries = tried.entries.iter();
    Ok(entries.any(|entry| matches!(&entry.record, Record::Question(it) if !it.consent)))
}

/// Plays the scenario with what happens in a case.
///
/// # Errors
/// When it cannot be played, or the run does not end.
pub async fn sweep_case(
    subject: &Subject,
    scenario: &Scenario,
    swept: &Swept,
    case: &Case,
) -> Result<Played, PlayError> {
    let disturbance = swept
        .disturbance(case)
        .map_err(|what| scenario.wrong(what))?;
    played(subject, scenario, Some(&disturbance)).await
}
