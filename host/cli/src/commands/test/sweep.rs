//! A scenario without a fault, then with each fault of each call.

use super::results::Teller;
use super::{Test, Tried, ended, jobs, scenarios};
use crate::failure::Failure;
use futures::StreamExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use wreimage_scenario::{
    Case, Kind, PlayError, Scenario, Subject, Swept, cases, check, play, sweep_case,
};

/// A scenario to sweep.
struct Base {
    scenario: Scenario,
    /// Whether it is the one that the invariants name, which no argument names.
    named_by_invariants: bool,
}

/// Sweeps the scenarios that are named, or the one that the invariants name.
pub async fn sweep(
    arguments: &Test,
    guest: &Path,
    subject: &Arc<Subject>,
    teller: &mut Teller,
) -> Result<(), Failure> {
    if subject.invariants.is_empty() {
        return Err(Failure::Usage(format!(
            "a sweep without invariants would prove nothing: give {} or --invariants FILE",
            guest.with_extension("invariants.toml").display()
        )));
    }
    let wanted = arguments
        .case
        .iter()
        .map(|case| case.parse::<Case>().map_err(Failure::usage))
        .collect::<Result<Vec<_>, _>>()?;
    let kinds = if arguments.kind.is_empty() {
        Kind::ALL.to_vec()
    } else {
        arguments.kind.clone()
    };
    let mut missing = wanted.clone();
    let mut chosen = 0;
    let mut failed = false;
    for base in bases(arguments, guest, subject)? {
        let Some(swept) = without_fault(arguments, subject, &base, teller).await? else {
            failed = true;
            continue;
        };
        let all = match cases(subject, &base.scenario, &swept, &kinds).await {
            Ok(all) => all,
            Err(PlayError::File(error)) => return Err(error.into()),
            Err(PlayError::NoEnd(what)) => return Err(Failure::Internal(what)),
        };
        missing.retain(|case| !all.contains(case));
        let cases: Vec<Case> = all
            .into_iter()
            .filter(|case| wanted.is_empty() || wanted.contains(case))
            .filter(|case| {
                let filter = arguments.filter.as_ref();
                filter.is_none_or(|it| case.to_string().contains(it.as_str()))
            })
            .collect();
        chosen += cases.len();
        let kinds: Vec<Kind> = cases.iter().map(Case::kind).collect();
        teller.begin_sweep(&base.scenario.name, &kinds, subject.invariants.len())?;
        play_cases(arguments, subject, base, swept, cases, teller).await?;
    }
    if failed {
        return Ok(());
    }
    if let Some(unknown) = missing.first() {
        return Err(Failure::Usage(format!(
            "there is no case `{unknown}`: without a fault, the run does not make this call, or it does not succeed, or \
             --kind leaves it out"
        )));
    }
    if chosen == 0 {
        return Err(Failure::usage(
            "there is no case to play: --filter is a part of a case such as `ipmi.set-power#1 timeout`",
        ));
    }
    if wanted.is_empty() && arguments.filter.is_none() && arguments.kind.is_empty() {
        teller.never_judged(&subject.invariants.never_judged())?;
    }
    Ok(())
}

fn bases(arguments: &Test, guest: &Path, subject: &Subject) -> Result<Vec<Base>, Failure> {
    if let (true, Some(base)) = (arguments.scenarios.is_empty(), subject.invariants.base()) {
        return Ok(vec![Base {
            scenario: base.clone(),
            named_by_invariants: true,
        }]);
    }
    // The filter of a sweep is for its cases.
    let scenarios = scenarios(arguments, guest, None)?.into_iter();
    let base = |scenario| Base {
        scenario,
        named_by_invariants: false,
    };
    Ok(scenarios.map(base).collect())
}

/// The run by which the cases are judged; nothing when it is not as it must be itself, which is told.
async fn without_fault(
    arguments: &Test,
    subject: &Subject,
    base: &Base,
    teller: &mut Teller,
) -> Result<Option<Arc<Swept>>, Failure> {
    let scenario = &base.scenario;
    let began = Instant::now();
    let (outcome, bad) = match play(subject, scenario).await {
        Ok(played) => {
            let mut bad = check(&scenario.expect, &played);
            bad.extend(played.wrong.iter().cloned());
            if bad.is_empty() {
                return Ok(Some(Arc::new(Swept::new(played))));
            }
            (played.end.run.outcome, bad)
        }
        Err(PlayError::File(error)) => return Err(error.into()),
        Err(PlayError::NoEnd(what)) => (None, vec![what]),
    };
    let why = "it does not hold without a fault, so a sweep of it would prove nothing";
    teller.tell(Tried {
        name: "without a fault".to_owned(),
        of: Some(scenario.name.clone()),
        kind: None,
        outcome,
        wrong: std::iter::once(why.to_owned()).chain(bad).collect(),
        took: began.elapsed(),
        again: Some(again(arguments, base, None)?),
    })?;
    Ok(None)
}

async fn play_cases(
    arguments: &Test,
    subject: &Arc<Subject>,
    base: Base,
    swept: Arc<Swept>,
    cases: Vec<Case>,
    teller: &mut Teller,
) -> Result<(), Failure> {
    let base = Arc::new(base);
    let mut playing = futures::stream::iter(cases)
        .map(|case| {
            let (subject, base, swept) = (subject.clone(), base.clone(), swept.clone());
            let began = Instant::now();
            let play = tokio::spawn({
                let case = case.clone();
                async move { sweep_case(&subject, &base.scenario, &swept, &case).await }
            });
            async move { (case, play.await, began.elapsed()) }
        })
        .buffered(jobs(arguments));
    while let Some((case, played, took)) = playing.next().await {
        let (outcome, wrong, took) = match ended(played)? {
            Ok(played) => (played.end.run.outcome, played.wrong, played.took),
            Err(what) => (None, vec![what], took),
        };
        teller.tell(Tried {
            name: case.to_string(),
            of: Some(base.scenario.name.clone()),
            kind: Some(case.kind()),
            outcome,
            wrong,
            took,
            again: Some(again(arguments, &base, Some(&case))?),
        })?;
    }
    Ok(())
}

/// The line that plays this case alone.
fn again(arguments: &Test, base: &Base, case: Option<&Case>) -> Result<String, Failure> {
    let text = |path: &Path| path.display().to_string();
    let mut words = vec![
        "wreimage".to_owned(),
        "test".to_owned(),
        arguments.guest.clone(),
    ];
    if !base.named_by_invariants {
        words.push(text(&base.scenario.path));
    }
    for plug in &arguments.plug {
        words.extend(["--plug".to_owned(), plug.clone()]);
    }
    for file in &arguments.invariants {
        words.extend(["--invariants".to_owned(), text(file)]);
    }
    words.push("--sweep".to_owned());
    if let Some(case) = case {
        words.extend(["--case".to_owned(), case.to_string()]);
    }
    shlex::try_join(words.iter().map(String::as_str))
        .map_err(|error| Failure::part("the line that plays it again", error))
}
