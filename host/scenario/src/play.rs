//! Plays a scenario.

use crate::context::{Context, End, RunFacts};
use crate::disturbance::Disturbance;
use crate::error::{PlayError, ScenarioError};
use crate::fault::Rule;
use crate::inject::{Made, SECRET};
use crate::invariant::Invariants;
use crate::journals::Journals;
use crate::next_command::{follow, name_nothing};
use crate::one_run::OneRun;
use crate::scenario::Scenario;
use crate::since::Since;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_engine::{Engine, Guest, Report};
use wreimage_journal::{Entry, RunOutcome};
use wreimage_lab::{Lab, Pace, Situation};

/// A guest under test.
pub struct Subject {
    /// The engine that it was loaded by.
    pub engine: Engine,
    /// The guest.
    pub guest: Guest,
    /// What must hold whatever goes wrong.
    pub invariants: Invariants,
}

/// A scenario that was played.
pub struct Played {
    /// The journal of the run.
    pub entries: Vec<Entry>,
    /// The run's own account of it.
    pub report: Report,
    /// The run and the world at the end.
    pub end: Arc<End>,
    /// The world when the run began.
    pub before: Situation,
    /// How long it took in real time.
    pub took: Duration,
    /// What was not as it must be: invariants that did not hold, faults that never came about, answers that were not asked
    /// for.
    pub wrong: Vec<String>,
    /// The calls that were made, each once.
    pub(crate) made: Vec<Made>,
    /// The world before each of them, when nothing disturbed the run.
    pub(crate) situations: BTreeMap<u64, Situation>,
}

/// Plays a scenario in a data centre of its own.
///
/// # Errors
/// When the scenario does not fit the guest, or the run does not end.
pub async fn play(subject: &Subject, scenario: &Scenario) -> Result<Played, PlayError> {
    played(subject, scenario, None).await
}

pub(crate) async fn played(
    subject: &Subject,
    scenario: &Scenario,
    disturbance: Option<&Disturbance>,
) -> Result<Played, PlayError> {
    let began = Instant::now();
    let lab = Lab::new(scenario.world.clone(), Pace::Full);
    let journals = Journals::default();
    let mut wrong = Vec::new();
    for earlier in &scenario.earlier {
        let run = OneRun {
            journals: journals.clone(),
            rules: earlier.rules.clone(),
            answers: &earlier.answers,
            ..OneRun::new(subject, scenario, &lab, &earlier.options)
        };
        let done = run.whole().await?;
        if done.report.ending.outcome != earlier.outcome {
            return Err(PlayError::NoEnd(format!(
                "an [[earlier]] run ended as `{}`, not as `{}`: {}",
                done.report.ending.outcome, earlier.outcome, done.report.ending.summary
            )));
        }
        let broken = std::mem::take(&mut done.stage.state().broken);
        let all = broken
            .into_iter()
            .chain(done.stage.unfired())
            .chain(done.answers.unused());
        wrong.extend(all.map(|what| format!("in an [[earlier]] run: {what}")));
    }
    let former = lab.look(|world| {
        let machine = world.machine(&scenario.host);
        machine.map(|it| it.inventory.device.clone())
    });
    // First, so that no other fault of the same call hides it.
    let mut rules: Vec<Rule> = disturbance.map(|it| it.rules.clone()).unwrap_or_default();
    rules.extend(scenario.rules.iter().cloned());
    let run = OneRun {
        journals: journals.clone(),
        rules,
        answers: &scenario.answers,
        invariants: subject.invariants.clone(),
        disturbance,
        ..OneRun::new(subject, scenario, &lab, &scenario.options)
    };
    let done = run.whole().await?;
    let stage = &done.stage;
    let world = stage.situation();
    let entries = stage.journal.entries();
    let mut facts = RunFacts::at_end(&entries, &done.report, SECRET);
    facts.leaks |= stage.state().leaked;
    let end = Arc::new(End { run: facts, world });
    let since = Since::of(stage);
    let rival = stage.state().rival.take();
    wrong.append(&mut stage.state().broken);
    if end.run.outcome != Some(RunOutcome::Paused) {
        wrong.extend(stage.invariants.broken_at_end(&Context {
            world: &end.world,
            before: &stage.before,
            run: &end.run,
            call: None,
            case: &stage.case,
            undisturbed: stage.undisturbed.as_deref(),
            since: since.as_ref(),
            rival: rival.as_ref(),
        }));
    }
    wrong.extend(stage.unfired());
    if let (Some(disturbance), true) = (disturbance, subject.invariants.follows_commands()) {
        let fault = &disturbance.case.fault;
        // By the time that a rival has ended, the run before it has ended for long.
        if disturbance.rival.is_none() {
            wrong.extend(name_nothing(&lab, &scenario.host, fault, &end.run));
        }
        if let (Some(at), Some(former)) = (&disturbance.change, &former) {
            at.change.lift(&lab, &scenario.host, former);
        }
        // Where there was a rival, the command of the one that was refused has been typed.
        if disturbance.rival.is_none() && end.run.exit_code != 0 {
            wrong.extend(follow(subject, scenario, &lab, &journals, &end.run).await?);
        }
    }
    let situations = std::mem::take(&mut stage.state().situations);
    if disturbance.is_none() {
        wrong.extend(done.answers.unused());
    }
    Ok(Played {
        report: done.report,
        before: stage.before.clone(),
        took: began.elapsed(),
        wrong,
        made: stage.made(),
        situations,
        entries,
        end,
    })
}

impl Scenario {
    pub(crate) fn wrong(&self, what: impl Into<String>) -> ScenarioError {
        ScenarioError::new(&self.path, what)
    }
}
