//! `wreimage test`: a guest against scenarios, and its sweep.

mod junit;
mod results;
mod sweep;

use crate::arguments::Output;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::setup::files;
use crate::setup::load_guest::load_guest;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use futures::StreamExt;
use results::Teller;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinError;
use wreimage_journal::RunOutcome;
use wreimage_scenario::{
    Invariants, Kind, PlayError, Played, Scenario, Snapshot, Subject, check, find, play,
};

/// `wreimage test`.
#[derive(Debug, Args)]
pub struct Test {
    /// The guest: a path or a name, as for `run`
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// Plug a component of the site into it, as for `run`; may be given several times
    #[arg(long, value_name = "FILE")]
    pub plug: Vec<String>,
    /// Scenarios: files, folders with a scenario.toml, or folders of such; by default those in `scenarios` beside the
    /// guest, or here
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Play only those whose name, or in a sweep whose case, holds this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Play the scenario once for every call that it makes and everything that can happen to the call, and check the
    /// invariants. Without SCENARIO, the one that the guest's invariants name
    #[arg(long)]
    pub sweep: bool,
    /// Of the sweep, play only the cases of this kind; may be given several times. crash: the process dies around a call.
    /// fault: a call fails, or the operator cancels. changed: another system or person changes something between two calls.
    /// rival: a second controller begins a run on the same host. partial: half of a call's effect, the clock, the operator at a
    /// question. power: the controller loses power, and records that were not synced
    #[arg(long, value_name = "KIND", requires = "sweep",
        value_parser = PossibleValuesParser::new(Kind::WORDS).try_map(|word| word.parse::<Kind>()))]
    pub kind: Vec<Kind>,
    /// Of the sweep, play only this case, such as 'ipmi.set-power#1 timeout'; may be given several times
    #[arg(long, value_name = "CASE", requires = "sweep")]
    pub case: Vec<String>,
    /// More that must hold, besides GUEST.invariants.toml beside the guest; may be given several times
    #[arg(long, value_name = "FILE")]
    pub invariants: Vec<PathBuf>,
    /// How to tell the results: text for people, json for one event per line
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
    /// Write the results to this file as well, in JUnit's format
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Keep the journal of each scenario that has no snapshot yet; later runs are compared with it
    #[arg(long, conflicts_with = "sweep")]
    pub record: bool,
    /// Keep the journals as they are now as the snapshots
    #[arg(long, conflicts_with = "sweep")]
    pub accept: bool,
    /// How many are played at the same time; by default as many as there are processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

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
