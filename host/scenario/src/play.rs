//! Plays a scenario.

use crate::answers::{Answers, Attendance};
use crate::change::{ClockOffset, ControllerClock, Moment};
use crate::consents::{Attended, NoConsent};
use crate::context::{CaseFacts, Context, End, RunFacts};
use crate::disturbance::{Asked, Disturbance};
use crate::error::{PlayError, ScenarioError};
use crate::fault::Rule;
use crate::file::AnswerFile;
use crate::inject::{Made, SECRET, Stage, State};
use crate::invariant::Invariants;
use crate::journals::Journals;
use crate::leasing::lab_leasing;
use crate::next_command::{follow, name_nothing};
use crate::scenario::Scenario;
use crate::since::{After, Since};
use crate::stage_log::{Death, Journal};
use crate::twin::LabTwin;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wreimage_capability::lease::ControllerId;
use wreimage_engine::{
    Cancel, Engine, GivenConsent, Going, Guest, OptionValues, Report, RunError, RunRequest,
    Services,
};
use wreimage_journal::{Entry, Mode, OnFailure};
use wreimage_lab::{Lab, Pace, Situation};

/// Longer than any run takes on a virtual clock: what takes longer does not end.
const DEADLINE: Duration = Duration::from_secs(60);

/// The word of a run that waits for somebody.
const PAUSED: &str = "paused";

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
            subject,
            scenario,
            lab: &lab,
            journals: &journals,
            is_attended: false,
            options: &earlier.options,
            rules: earlier.rules.clone(),
            answers: &earlier.answers,
            invariants: Invariants::default(),
            disturbance: None,
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
    // First, so that no other fault of the same call hides it.
    let mut rules: Vec<Rule> = disturbance.map(|it| it.rules.clone()).unwrap_or_default();
    rules.extend(scenario.rules.iter().cloned());
    let run = OneRun {
        subject,
        scenario,
        lab: &lab,
        journals: &journals,
        is_attended: false,
        options: &scenario.options,
        rules,
        answers: &scenario.answers,
        invariants: subject.invariants.clone(),
        disturbance,
    };
    let done = run.whole().await?;
    let stage = &done.stage;
    let world = stage.situation();
    let entries = stage.journal.entries();
    let mut facts = RunFacts::at_end(&entries, &done.report, SECRET);
    facts.leaks |= stage.state().leaked;
    let end = Arc::new(End { run: facts, world });
    let since = Since::of(stage);
    wrong.append(&mut stage.state().broken);
    if end.run.outcome != PAUSED {
        wrong.extend(stage.invariants.broken_at_end(&Context {
            world: &end.world,
            before: &stage.before,
            run: &end.run,
            call: None,
            case: &stage.case,
            undisturbed: stage.undisturbed.as_deref(),
            since: since.as_ref(),
        }));
    }
    wrong.extend(stage.unfired());
    if let (Some(disturbance), true) = (disturbance, subject.invariants.follows_commands()) {
        let fault = &disturbance.case.fault;
        wrong.extend(name_nothing(&lab, &scenario.host, fault, &end.run));
        // A change by others is not undone: what the run prints then is judged by the invariants.
        if disturbance.change.is_none() && end.run.exit_code != 0 {
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

/// One run in a lab.
pub(crate) struct OneRun<'a> {
    pub subject: &'a Subject,
    pub scenario: &'a Scenario,
    pub lab: &'a Lab,
    /// Those of the runs before in the same state folder.
    pub journals: &'a Journals,
    /// Consent is given at a terminal, not in advance.
    pub is_attended: bool,
    pub options: &'a [(String, String)],
    pub rules: Vec<Rule>,
    pub answers: &'a [AnswerFile],
    pub invariants: Invariants,
    pub disturbance: Option<&'a Disturbance>,
}

/// A run that has ended, or waits.
pub(crate) struct Done {
    pub report: Report,
    pub stage: Arc<Stage>,
    answers: Answers,
}

impl OneRun<'_> {
    /// Each run in a lab has its own id, which tells whose downtime is whose. It follows from the lab alone: nothing has
    /// happened there before the first run, and later ones begin at other times.
    fn id(&self) -> String {
        let host = &self.scenario.host;
        self.lab.look(|world| match world.history().next() {
            None => format!("run-of-{host}"),
            Some(_) => format!("run-of-{host}-at-{}", world.now().strftime("%H%M%S")),
        })
    }

    fn request(&self) -> Result<RunRequest, ScenarioError> {
        let scenario = self.scenario;
        let given = self.options.iter();
        let given = given.map(|(name, value)| (name.as_str(), value.clone()));
        let description = self.subject.guest.description();
        let site = self.lab.look(|world| world.site().to_owned());
        let mut request = RunRequest::new(&scenario.host, site);
        request.options = OptionValues::check(description, given, &scenario.absent)
            .map_err(|error| scenario.wrong(error.to_string()))?;
        request.run = self.id();
        request.actor.clone_from(&scenario.actor);
        "controller1001".clone_into(&mut request.controller);
        request.dry_run = scenario.dry_run;
        request.on_failure = match self.asked() {
            Some(_) => OnFailure::Ask,
            None => scenario.on_failure,
        };
        request.absent = scenario.absent.clone();
        request.mode = Mode::Lab;
        Ok(request)
    }

    fn stage(&self, task: Option<&str>) -> Result<Arc<Stage>, ScenarioError> {
        let scenario = self.scenario;
        let before = self
            .lab
            .look(|world| world.situation(&scenario.host, task))
            .ok_or_else(|| scenario.wrong(format!("there is no host `{}`", scenario.host)))?;
        Ok(Arc::new(Stage {
            lab: self.lab.clone(),
            host: scenario.host.clone(),
            task: task.map(str::to_owned),
            journal: Journal::new(self.disturbance.and_then(|it| it.at)),
            rules: self.rules.clone(),
            invariants: self.invariants.clone(),
            case: self
                .disturbance
                .map_or_else(CaseFacts::default, |it| it.case.clone()),
            undisturbed: self.disturbance.map(|it| it.undisturbed.clone()),
            own_rules: self.disturbance.map_or(0, |it| it.rules.len()),
            before,
            began: self.lab.clock().now(),
            death: Death::default(),
            change: self.disturbance.and_then(|it| it.change),
            clock_offset: ClockOffset::default(),
            state: Mutex::new(State::default()),
        }))
    }

    /// The surroundings of one process.
    fn services(&self, stage: &Arc<Stage>, answers: &Answers, request: &RunRequest) -> Services {
        let scenario = self.scenario;
        let mut services = Services::new(stage.providers(&scenario.absent));
        services.clock = Arc::new(ControllerClock {
            lab: self.lab.clock(),
            stage: stage.clone(),
            is_set: stage.change.is_some_and(|it| it.change.clock().is_some()),
        });
        services.log = stage.clone();
        services.operator = Arc::new(answers.clone());
        services.consent = match (scenario.consent, self.is_attended) {
            (true, true) => Arc::new(Attended),
            (true, false) => Arc::new(GivenConsent(scenario.host.clone())),
            (false, _) => Arc::new(NoConsent),
        };
        services.recorded_keys = Some(self.journals.recorded_keys());
        services.twin = Some(LabTwin::maker(
            &request.site,
            stage.task.as_deref(),
            &scenario.absent,
        ));
        services.resumable = !scenario.dry_run;
        let controller = ControllerId {
            name: request.controller.clone(),
            boot_id: "boot-of-the-controller".to_owned(),
            lock_inode: 1,
        };
        services.lease = Some(lab_leasing(self.lab, controller, &scenario.actor));
        services.redactor = Some(Arc::new(|text: &str| {
            text.contains(SECRET).then(|| text.replace(SECRET, "***"))
        }));
        services.cancel = Cancel::new();
        stage.state().cancel = services.cancel.clone();
        services
    }

    /// Runs it, goes on with it after each crash, and in a sweep ends it when it waits for somebody.
    pub(crate) async fn whole(self) -> Result<Done, PlayError> {
        let Subject { engine, guest, .. } = self.subject;
        let task = self.options.iter().find(|(name, _)| name == "task");
        let stage = self.stage(task.map(|(_, value)| value.as_str()))?;
        let answers = Answers::new(self.answers, self.scenario.on_failure);
        let asked = self.asked();
        let attendance = |asked: Option<Attendance>| match asked {
            Some(others) => answers.with(others),
            None => answers.clone(),
        };
        let request = self.request()?;
        let services = self.services(&stage, &attendance(asked.map(|it| it.first)), &request);
        let first = wreimage_engine::run(engine, guest, request, services);
        let mut ended = self.until_crash(&stage, first).await?;
        let mut processes = 1;
        let report = loop {
            let has_changed = stage.state().changed.is_some();
            if let (Some(report), true) = (&ended, has_changed) {
                stage.state().after.get_or_insert_with(|| After::of(report));
            }
            let (going, cleanup) = match ended {
                // No one continues it: it must be possible to end it. A run that pauses again has been continued already.
                Some(report) if report.ending.outcome == PAUSED && self.disturbance.is_some() => {
                    let resumes = self.is_resumed() && processes == 1;
                    (self.going(), !resumes)
                }
                Some(report) => break report,
                None => (self.going(), false),
            };
            if let Some(at) = &stage.change
                && at.moment != Moment::Alive
            {
                stage.change_now().await;
            }
            processes += 1;
            stage.death.revive();
            let entries = stage.journal.entries();
            let Ok(header) = wreimage_engine::resumable(&entries) else {
                // Nothing was recorded before the process died: the run is started again.
                let request = self.request()?;
                let services = self.services(&stage, &attendance(None), &request);
                let again = wreimage_engine::run(engine, guest, request, services);
                ended = self.until_crash(&stage, again).await?;
                continue;
            };
            let request = RunRequest::resumed(header);
            let resumed = asked.and_then(|it| it.resumed);
            let services = self.services(&stage, &attendance(resumed), &request);
            ended = if cleanup {
                let end = wreimage_engine::cleanup(
                    engine,
                    Some(guest),
                    request,
                    services,
                    entries,
                    going,
                );
                self.until_crash(&stage, end).await?
            } else {
                let rest =
                    wreimage_engine::resume(engine, guest, request, services, entries, going);
                self.until_crash(&stage, rest).await?
            };
            if cleanup && let Some(report) = ended {
                break report;
            }
        };
        self.journals.add(stage.journal.entries());
        Ok(Done {
            report,
            stage,
            answers,
        })
    }

    /// Whether a run that pauses is resumed, not ended.
    fn is_resumed(&self) -> bool {
        self.asked().is_some_and(|it| it.resumed.is_some())
            || self
                .disturbance
                .and_then(|it| it.change)
                .is_some_and(|it| it.moment == Moment::Pauses)
    }

    /// What the operator does at questions, when that is what is tried.
    fn asked(&self) -> Option<Asked> {
        self.disturbance.and_then(|it| it.asked)
    }

    fn going(&self) -> Going {
        Going {
            actor: self.scenario.actor.clone(),
            controller: "controller1001".to_owned(),
            heard: None,
        }
    }

    /// The report, or nothing when the host died before.
    async fn until_crash(
        &self,
        stage: &Stage,
        run: impl Future<Output = Result<Report, RunError>>,
    ) -> Result<Option<Report>, PlayError> {
        let ended = tokio::select! {
            ended = tokio::time::timeout(DEADLINE, run) => ended,
            () = stage.death.died() => return Ok(None),
        };
        if stage.death.is_dead() {
            return Ok(None);
        }
        match ended {
            Ok(Ok(report)) => Ok(Some(report)),
            Ok(Err(error @ RunError::NotGranted(_))) => {
                Err(self.scenario.wrong(error.to_string()).into())
            }
            Ok(Err(error)) => Err(PlayError::NoEnd(format!("it cannot be run: {error}"))),
            Err(_) => Err(PlayError::NoEnd(format!(
                "the run did not end within {} s of real time; its last record: {}",
                DEADLINE.as_secs(),
                stage
                    .journal
                    .entries()
                    .last()
                    .map_or_else(String::new, |last| format!("{:?}", last.record))
            ))),
        }
    }
}
