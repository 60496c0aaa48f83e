//! `wreimage test`: a guest against scenarios, and its sweep.

mod junit;
mod sweep;
mod tell;

use crate::arguments::Test;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::load_guest::load_guest;
use futures::StreamExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tell::Teller;
use tokio::task::JoinError;
use wreimage_journal::RunOutcome;
use wreimage_scenario::{
    Invariants, Kind, PlayError, Played, Scenario, Snapshot, Subject, check, find, play,
};

/// A scenario, or a case of a sweep, that was played.
pub struct Tried {
    /// Its name.
    name: String,
    /// The scenario that was swept.
    of: Option<String>,
    /// Of a case of a sweep, its kind.
    kind: Option<Kind>,
    /// How the run ended; `None` when it came to no end.
    outcome: Option<RunOutcome>,
    /// What is not as it must be.
    wrong: Vec<String>,
    /// How long it took.
    took: Duration,
    /// The line that does it again.
    again: Option<String>,
}

impl Tried {
    /// The name, with the scenario that was swept.
    fn full_name(&self) -> String {
        match &self.of {
            Some(scenario) => format!("{scenario}: {}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Plays what is asked for and tells what became of it.
pub async fn test(arguments: &Test) -> Result<Exit, Failure> {
    let path = files::guest(&arguments.guest)?;
    let (engine, loaded) = load_guest(&arguments.guest, &arguments.plug, None).await?;
    let invariants = invariants(&path, &arguments.invariants)?;
    let subject = Arc::new(Subject {
        engine,
        guest: loaded.guest,
        invariants,
    });
    let began = Instant::now();
    let mut teller = Teller::new(arguments.output);
    if arguments.sweep {
        sweep::sweep(arguments, &path, &subject, &mut teller).await?;
    } else {
        let scenarios = scenarios(arguments, &path, arguments.filter.as_ref())?;
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

/// What must hold: the file beside the guest, and those that are named.
fn invariants(guest: &Path, named: &[PathBuf]) -> Result<Invariants, Failure> {
    let beside = guest.with_extension("invariants.toml");
    let shipped = beside.exists().then_some(beside);
    shipped
        .iter()
        .chain(named)
        .try_fold(Invariants::default(), |all, path| {
            Ok(all.and(Invariants::read(path).map_err(Failure::from)?))
        })
}

/// The scenarios that are named, or those in the guest's or the present folder, whose names hold the filter.
fn scenarios(
    arguments: &Test,
    guest: &Path,
    filter: Option<&String>,
) -> Result<Vec<Scenario>, Failure> {
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
        for path in find(place).map_err(Failure::from)? {
            let scenario = Scenario::read(&path).map_err(Failure::from)?;
            if filter.is_none_or(|it| scenario.name.contains(it.as_str())) {
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
            let (subject, scenario) = (subject.clone(), Arc::new(scenario));
            let began = Instant::now();
            let play = tokio::spawn({
                let scenario = scenario.clone();
                async move { play(&subject, &scenario).await }
            });
            async move { (scenario, play.await, began.elapsed()) }
        })
        .buffered(jobs(arguments));
    while let Some((scenario, played, took)) = playing.next().await {
        let (outcome, wrong, took) = match ended(played)? {
            Ok(played) => {
                let mut bad = check(&scenario.expect, &played);
                bad.extend(played.wrong.iter().cloned());
                let differs = snapshot(arguments, &scenario, &played, bad.is_empty())?;
                bad.extend(differs);
                (played.end.run.outcome, bad, played.took)
            }
            Err(what) => (None, vec![what], took),
        };
        teller.tell(Tried {
            name: scenario.name.clone(),
            of: None,
            kind: None,
            outcome,
            wrong,
            took,
            again: None,
        })?;
    }
    Ok(())
}

/// What was played, or why it came to no end. A file that is wrong ends all: nothing would be proven.
fn ended(
    played: Result<Result<Played, PlayError>, JoinError>,
) -> Result<Result<Played, String>, Failure> {
    match played {
        Ok(Ok(played)) => Ok(Ok(played)),
        Ok(Err(PlayError::File(error))) => Err(error.into()),
        Ok(Err(PlayError::NoEnd(what))) => Ok(Err(what)),
        Err(error) => Ok(Err(format!("a fault of wreimage itself: {error}"))),
    }
}

/// Compares with the snapshot, or keeps a new one of a run that was `good`.
fn snapshot(
    arguments: &Test,
    scenario: &Scenario,
    played: &Played,
    good: bool,
) -> Result<Option<String>, Failure> {
    let compared = Snapshot::compare(scenario, played).map_err(Failure::from)?;
    let keep = match &compared {
        Snapshot::None => arguments.record || arguments.accept,
        Snapshot::Differs(_) => arguments.accept,
        Snapshot::Same => false,
    };
    if keep && good {
        Snapshot::keep(scenario, played).map_err(Failure::from)?;
        return Ok(None);
    }
    Ok(match compared {
        Snapshot::None | Snapshot::Same => None,
        Snapshot::Differs(diff) => Some(format!(
            "the journal is another than {}; --accept keeps the new one\n{diff}",
            scenario.snapshot().display()
        )),
    })
}
