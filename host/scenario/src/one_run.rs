//! One run of a scenario, with all processes that drive it one after the other.

use crate::answers::{Answers, Attendance};
use crate::change::{ClockOffset, ControllerClock, Moment};
use crate::consents::{Attended, NoConsent};
use crate::context::CaseFacts;
use crate::disturbance::{Asked, Disturbance};
use crate::error::{PlayError, ScenarioError};
use crate::fault::Rule;
use crate::file::AnswerFile;
use crate::inject::{SECRET, Stage, State};
use crate::invariant::Invariants;
use crate::journals::Journals;
use crate::meeting::Meeting;
use crate::play::Subject;
use crate::scenario::Scenario;
use crate::since::After;
use crate::stage_log::{Death, Journal};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wreimage_capability::BoxFuture;
use wreimage_capability::lease::ControllerId;
use wreimage_engine::{
    Cancel, GivenConsent, Going, OptionValues, Report, RunError, RunRequest, Services,
};
use wreimage_journal::{Mode, OnFailure, RunOutcome};
use wreimage_lab::Lab;
use wreimage_runs::{LabTwin, lab_leasing};

/// Longer than any run takes on a virtual clock: what takes longer does not end.
const DEADLINE: Duration = Duration::from_secs(60);

/// A controller with a state folder of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Controller {
    name: &'static str,
    /// Inode of the file of locks in its state folder.
    lock_inode: u64,
}

/// Drives the run of the scenario.
pub(crate) const FIRST: Controller = Controller {
    name: "controller1001",
    lock_inode: 1,
};

/// Drives a rival of that run.
pub(crate) const SECOND: Controller = Controller {
    name: "controller1002",
    lock_inode: 2,
};

impl Controller {
    fn id(self) -> ControllerId {
        ControllerId {
            name: self.name.to_owned(),
            boot_id: format!("boot-of-{}", self.name),
            lock_inode: self.lock_inode,
        }
    }
}

/// One run in a lab.
pub(crate) struct OneRun<'a> {
    pub subject: &'a Subject,
    pub scenario: &'a Scenario,
    pub lab: &'a Lab,
    /// Those of the runs before in the same state folder.
    pub journals: Journals,
    /// Consent is given at a terminal, not in advance.
    pub is_attended: bool,
    pub options: &'a [(String, String)],
    pub rules: Vec<Rule>,
    pub answers: &'a [AnswerFile],
    pub invariants: Invariants,
    pub disturbance: Option<&'a Disturbance>,
    /// By whom it is driven.
    pub controller: Controller,
    /// The runs over whose stale claims it may begin.
    pub take_over: Vec<String>,
    /// Where it waits for another run.
    pub meeting: Option<Arc<Meeting>>,
}

/// A run that has ended, or waits.
pub(crate) struct Done {
    pub report: Report,
    pub stage: Arc<Stage>,
    pub answers: Answers,
}

impl<'a> OneRun<'a> {
    /// A run that nothing disturbs and no operator answers, without invariants.
    pub(crate) fn new(
        subject: &'a Subject,
        scenario: &'a Scenario,
        lab: &'a Lab,
        options: &'a [(String, String)],
    ) -> Self {
        OneRun {
            subject,
            scenario,
            lab,
            journals: Journals::default(),
            is_attended: false,
            options,
            rules: Vec::new(),
            answers: &[],
            invariants: Invariants::default(),
            disturbance: None,
            controller: FIRST,
            take_over: Vec::new(),
            meeting: None,
        }
    }

    /// Each run in a lab has its own id, which tells whose downtime is whose. It follows from the lab alone: nothing has
    /// happened there before the first run, and later ones begin at other times or on another controller.
    fn id(&self) -> String {
        let host = &self.scenario.host;
        let by = match self.controller {
            FIRST => String::new(),
            other => format!("-by-{}", other.name),
        };
        self.lab.look(|world| match world.history().next() {
            None => format!("run-of-{host}{by}"),
            Some(_) => format!("run-of-{host}-at-{}{by}", world.now().strftime("%H%M%S")),
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
        self.controller.name.clone_into(&mut request.controller);
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
            meeting: self.meeting.clone(),
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
        let mut leasing = lab_leasing(self.lab, self.controller.id(), &scenario.actor);
        leasing.take_over.clone_from(&self.take_over);
        services.lease = Some(leasing);
        services.redactor = Some(Arc::new(|text: &str| {
            text.contains(SECRET).then(|| text.replace(SECRET, "***"))
        }));
        services.cancel = Cancel::new();
        stage.state().cancel = services.cancel.clone();
        services
    }

    /// As [`OneRun::whole`], for a run that another one waits for.
    pub(crate) fn boxed(self) -> BoxFuture<'a, Result<Done, PlayError>> {
        Box::pin(self.whole())
    }

    /// Runs it, resumes it after each crash, and in a sweep ends it when it waits for a person.
    pub(crate) async fn whole(mut self) -> Result<Done, PlayError> {
        let Subject { engine, guest, .. } = self.subject;
        let task = self.options.iter().find(|(name, _)| name == "task");
        let rival = self.disturbance.and_then(|it| it.rival);
        if let Some(at) = rival.filter(|at| at.moment == Moment::Alive) {
            self.meeting = Some(Arc::new(Meeting::new(at.function, at.nth)));
        }
        let stage = self.stage(task.map(|(_, value)| value.as_str()))?;
        let answers = Answers::new(self.answers, self.scenario.on_failure);
        let asked = self.asked();
        let attendance = |asked: Option<Attendance>| match asked {
            Some(others) => answers.with(others),
            None => answers.clone(),
        };
        let request = self.request()?;
        let run = request.run.clone();
        let mut overtaking = None;
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
                Some(report)
                    if report.ending.outcome == RunOutcome::Paused
                        && self.disturbance.is_some() =>
                {
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
            if rival.is_some_and(|at| at.moment != Moment::Alive) && processes == 1 {
                overtaking = self.rivals_begin(&stage, &run).await?;
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
        if let Some(overtaking) = overtaking {
            overtaking.end(&stage).await?;
        }
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
                .and_then(|it| it.moment())
                .is_some_and(|it| it == Moment::Pauses)
    }

    /// What the operator does at questions, when that is what is tried.
    fn asked(&self) -> Option<Asked> {
        self.disturbance.and_then(|it| it.asked)
    }

    fn going(&self) -> Going {
        Going {
            actor: self.scenario.actor.clone(),
            controller: self.controller.name.to_owned(),
            heard: None,
        }
    }

    /// The report, or nothing when the host died before.
    async fn until_crash(
        &self,
        stage: &Stage,
        run: impl Future<Output = Result<Report, RunError>>,
    ) -> Result<Option<Report>, PlayError> {
        tokio::pin!(run);
        let ended = loop {
            tokio::select! {
                ended = tokio::time::timeout(DEADLINE, &mut run) => break ended,
                () = stage.death.died() => return Ok(None),
                meeting = self.rival_is_due() => {
                    self.rival_begins_at_once(stage).await?;
                    meeting.release();
                }
            }
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
