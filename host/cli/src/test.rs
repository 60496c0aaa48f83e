//! `wreimage test`: a guest against scenarios, and its sweep.

mod junit;
mod tell;

use crate::arguments::Test;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::surroundings::load_guest;
use futures::StreamExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tell::Teller;
use wreimage_scenario::{
    Case, Invariants, Played, Scenario, ScenarioError, Snapshot, Subject, Swept, cases, check,
    find, play, sweep_case,
};

/// A scenario, or a case of a sweep, that was played.
pub struct Tried {
    /// Its name.
    name: String,
    /// How the run ended.
    outcome: String,
    /// What is not as it must be.
    wrong: Vec<String>,
    /// How long it took.
    took: Duration,
    /// The line that does it again.
    again: Option<String>,
}

/// Plays what is asked for and tells what became of it.
pub async fn test(arguments: &Test) -> Result<Exit, Failure> {
    let path = files::guest(&arguments.guest)?;
    let (engine, guest, _) = load_guest(&arguments.guest, &arguments.plug).await?;
    let invariants = invariants(&path, &arguments.invariants)?;
    let subject = Arc::new(Subject {
        engine,
        guest,
        invariants,
    });
    let began = Instant::now();
    let mut teller = Teller::new(arguments.output);
    if arguments.sweep {
        sweep(arguments, &path, &subject, &mut teller).await?;
    } else {
        let scenarios = scenarios(arguments, &path)?;
        play_all(arguments, &subject, scenarios, &mut teller).await?;
    }
    let took = began.elapsed();
    if let Some(file) = &arguments.junit {
        junit::write(file, teller.results(), took)?;
    }
    Ok(if teller.end(took)? {
        Exit::Success
    } else {
        Exit::NotPassed
    })
}

fn wrong(error: ScenarioError) -> Failure {
    Failure::usage(error.to_string())
}

/// What must hold: the file beside the guest, and those that are named.
fn invariants(guest: &Path, named: &[PathBuf]) -> Result<Invariants, Failure> {
    let beside = guest.with_extension("invariants.toml");
    let shipped = beside.exists().then_some(beside);
    shipped
        .iter()
        .chain(named)
        .try_fold(Invariants::default(), |all, path| {
            Ok(all.and(Invariants::read(path).map_err(wrong)?))
        })
}

/// The scenarios that are named, or those in the guest's or the present folder.
fn scenarios(arguments: &Test, guest: &Path) -> Result<Vec<Scenario>, Failure> {
    let mut places = arguments.scenarios.clone();
    if places.is_empty() {
        let beside = guest.parent().unwrap_or(Path::new("")).join("scenarios");
        let place = [beside, PathBuf::from("scenarios")]
            .into_iter()
            .find(|it| it.is_dir())
            .ok_or_else(|| {
                Failure::usage(
                    "no scenario is named, and there is no folder `scenarios` beside the guest or here: \
                     `wreimage test GUEST SCENARIO…`, or `--sweep`",
                )
            })?;
        places.push(place);
    }
    let mut scenarios = Vec::new();
    for place in &places {
        for path in find(place).map_err(wrong)? {
            let scenario = Scenario::read(&path).map_err(wrong)?;
            let wanted = arguments.filter.as_ref();
            if wanted.is_none_or(|it| scenario.name.contains(it.as_str())) {
                scenarios.push(scenario);
            }
        }
    }
    if scenarios.is_empty() {
        return Err(Failure::usage(
            "no scenario has a name that holds the --filter",
        ));
    }
    Ok(scenarios)
}

/// How many are played at the same time.
fn jobs(arguments: &Test) -> usize {
    arguments.jobs.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    )
}

async fn play_all(
    arguments: &Test,
    subject: &Arc<Subject>,
    scenarios: Vec<Scenario>,
    teller: &mut Teller,
) -> Result<(), Failure> {
    let mut playing = futures::stream::iter(scenarios)
        .map(|scenario| {
            let subject = subject.clone();
            tokio::spawn(async move {
                let played = play(&subject, &scenario).await?;
                Ok::<_, ScenarioError>((scenario, played))
            })
        })
        .buffered(jobs(arguments));
    while let Some(played) = playing.next().await {
        let (scenario, played) = joined(played)?;
        let mut bad = check(&scenario.expect, &played);
        bad.extend(played.wrong.iter().cloned());
        bad.extend(snapshot(arguments, &scenario, &played)?);
        teller.tell(Tried {
            name: scenario.name.clone(),
            outcome: played.end.run.outcome.clone(),
            wrong: bad,
            took: played.took,
            again: None,
        })?;
    }
    Ok(())
}

fn joined<T>(
    played: Result<Result<T, ScenarioError>, tokio::task::JoinError>,
) -> Result<T, Failure> {
    played
        .map_err(|error| Failure::internal(format!("a scenario could not be played: {error}")))?
        .map_err(wrong)
}

/// Compares with the snapshot, or keeps a new one.
fn snapshot(
    arguments: &Test,
    scenario: &Scenario,
    played: &Played,
) -> Result<Option<String>, Failure> {
    let compared = Snapshot::compare(scenario, played).map_err(wrong)?;
    Ok(match compared {
        Snapshot::None if arguments.record || arguments.accept => {
            Snapshot::keep(scenario, played).map_err(wrong)?;
            None
        }
        Snapshot::Differs(_) if arguments.accept => {
            Snapshot::keep(scenario, played).map_err(wrong)?;
            None
        }
        Snapshot::None | Snapshot::Same => None,
        Snapshot::Differs(diff) => Some(format!(
            "the journal is another than {}; --accept keeps the new one\n{diff}",
            scenario.snapshot().display()
        )),
    })
}

/// The scenario without a fault, then with each fault of each call.
async fn sweep(
    arguments: &Test,
    guest: &Path,
    subject: &Arc<Subject>,
    teller: &mut Teller,
) -> Result<(), Failure> {
    if subject.invariants.is_empty() {
        return Err(Failure::usage(format!(
            "a sweep without invariants would prove nothing: give {} or --invariants FILE",
            guest.with_extension("invariants.toml").display()
        )));
    }
    let wanted = arguments
        .case
        .iter()
        .map(|case| case.parse::<Case>().map_err(Failure::usage))
        .collect::<Result<Vec<_>, _>>()?;
    let bases = match (arguments.scenarios.is_empty(), subject.invariants.base()) {
        (true, Some(base)) => vec![base.clone()],
        _ => scenarios(arguments, guest)?,
    };
    for scenario in bases {
        let undisturbed = play(subject, &scenario).await.map_err(wrong)?;
        let mut bad = check(&scenario.expect, &undisturbed);
        bad.extend(undisturbed.wrong.iter().cloned());
        if !bad.is_empty() {
            return Err(Failure::usage(format!(
                "{}: it does not hold without a fault, so a sweep of it would prove nothing:\n{}",
                scenario.path.display(),
                bad.join("\n")
            )));
        }
        let swept = Arc::new(Swept::new(undisturbed));
        let all = cases(&swept);
        if let Some(unknown) = wanted.iter().find(|it| !all.contains(it)) {
            return Err(Failure::usage(format!(
                "{}: there is no case `{unknown}`: without a fault, the run does not make this call, or it does not succeed",
                scenario.name
            )));
        }
        let cases: Vec<Case> = all
            .into_iter()
            .filter(|case| wanted.is_empty() || wanted.contains(case))
            .filter(|case| {
                let filter = arguments.filter.as_ref();
                filter.is_none_or(|it| case.to_string().contains(it.as_str()))
            })
            .collect();
        teller.begin_sweep(&scenario.name, cases.len(), subject.invariants.len())?;
        let scenario = Arc::new(scenario);
        let mut playing = futures::stream::iter(cases)
            .map(|case| {
                let (subject, scenario, swept) = (subject.clone(), scenario.clone(), swept.clone());
                tokio::spawn(async move {
                    let played = sweep_case(&subject, &scenario, &swept, &case).await?;
                    Ok::<_, ScenarioError>((case, played))
                })
            })
            .buffered(jobs(arguments));
        while let Some(played) = playing.next().await {
            let (case, played) = joined(played)?;
            teller.tell(Tried {
                again: Some(again(arguments, &case)),
                name: case.to_string(),
                outcome: played.end.run.outcome.clone(),
                took: played.took,
                wrong: played.wrong,
            })?;
        }
    }
    Ok(())
}

/// The line that plays this case alone.
fn again(arguments: &Test, case: &Case) -> String {
    let mut line = format!("wreimage test {}", arguments.guest);
    for plug in &arguments.plug {
        line.push_str(&format!(" --plug {plug}"));
    }
    for scenario in &arguments.scenarios {
        line.push_str(&format!(" {}", scenario.display()));
    }
    for file in &arguments.invariants {
        line.push_str(&format!(" --invariants {}", file.display()));
    }
    line.push_str(&format!(" --sweep --case '{case}'"));
    line
}
