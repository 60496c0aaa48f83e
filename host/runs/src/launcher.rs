//! The path of a run on this machine, whether it begins, is resumed or is cleaned up.

use crate::bound_backend::{BoundBackend, RunTarget};
use crate::drive::{EngineTask, RunJob, drive};
use crate::environment::Environment;
use crate::error::RunsError;
use crate::frontend::Confirmed;
use crate::guest_identity::GuestIdentity;
use crate::host_lock::{HostLock, release};
use crate::launch_settings::{LaunchSettings, Questions};
use crate::launch_stage::LaunchStage;
use crate::new_request::{TASK, new_request, task};
use crate::opened_run::OpenedRun;
use crate::pinned_guest::pin_guest;
use crate::recorded_site::{RecordedSite, SiteChange};
use crate::run_result::{LoadedGuest, RunResult};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use wreimage_engine::RunRequest;
use wreimage_journal::{Header, Holder, Locks, Mode, RunDatabase};
use wreimage_lab::Pace;

/// What is done with a run.
enum Launch<'a> {
    /// It begins on this host; with this id, if one was promised.
    Begin {
        guest: &'a LoadedGuest,
        settings: &'a LaunchSettings,
        host: &'a str,
        run: Option<&'a str>,
    },
    /// It is continued.
    Resume {
        guest: &'a LoadedGuest,
        opened: OpenedRun,
        questions: Questions,
    },
    /// It is ended; its guest may be missing.
    Cleanup {
        guest: Option<&'a LoadedGuest>,
        opened: OpenedRun,
    },
}

/// Begins, resumes and cleans up runs in one environment.
pub struct Launcher {
    environment: Environment,
    /// An operator has confirmed a changed site file: for all runs of this process.
    site_confirmed: AtomicBool,
}

impl Launcher {
    /// In this environment.
    pub fn new(environment: Environment) -> Self {
        Launcher {
            environment,
            site_confirmed: AtomicBool::new(false),
        }
    }

    /// What its runs have in common.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The operator has confirmed in advance that runs are continued by a site file that has changed.
    pub fn confirm_changed_site(&self) {
        self.site_confirmed.store(true, Ordering::SeqCst);
    }

    /// Begins a run on this host and drives it to its end, or until it waits for another process. `run` is its id, if one was
    /// promised.
    ///
    /// # Errors
    /// Why it did not begin, or could not be recorded.
    pub async fn begin(
        &self,
        guest: &LoadedGuest,
        settings: &LaunchSettings,
        host: &str,
        run: Option<&str>,
    ) -> Result<RunResult, RunsError> {
        let launch = Launch::Begin {
            guest,
            settings,
            host,
            run,
        };
        self.launch(launch).await
    }

    /// Continues a run.
    ///
    /// # Errors
    /// Why it cannot be continued, or could not be recorded.
    pub async fn resume(
        &self,
        guest: &LoadedGuest,
        opened: OpenedRun,
        questions: Questions,
    ) -> Result<RunResult, RunsError> {
        let launch = Launch::Resume {
            guest,
            opened,
            questions,
        };
        self.launch(launch).await
    }

    /// Ends a run: undoes what must not stay. Its journal and its systems are enough; without its guest there are no closing
    /// words.
    ///
    /// # Errors
    /// Why it cannot be ended, or could not be recorded.
    pub async fn cleanup(
        &self,
        guest: Option<&LoadedGuest>,
        opened: OpenedRun,
    ) -> Result<RunResult, RunsError> {
        self.launch(Launch::Cleanup { guest, opened }).await
    }

    /// The one path. What differs between the three is decided by the methods of [`Launch`] that it calls.
    async fn launch(&self, launch: Launch<'_>) -> Result<RunResult, RunsError> {
        let environment = &self.environment;
        let frontend = &environment.frontend;
        if !matches!(launch, Launch::Cleanup { .. }) {
            self.refuse_volatile()?;
        }
        let mut bound = environment
            .backend
            .bind(
                &launch.identity(),
                &launch.target()?,
                launch.shares_time(self),
            )
            .await?;
        frontend.stage(LaunchStage::Bound);
        let request = launch.request(self, &mut bound).await?;
        frontend.stage(LaunchStage::Requested);
        let heard = launch.heard(self);
        let lock = self.lock(&request)?;
        frontend.stage(LaunchStage::Locked);
        let is_new = matches!(launch, Launch::Begin { .. });
        let resumable = launch.is_resumable(self);
        let questions = launch.questions();
        let (journal, task) = match launch.open(environment, &request, heard) {
            Ok(opened) => opened,
            Err(error) => {
                // A run that is half-way keeps its host.
                if let (Some(lock), true) = (lock, is_new) {
                    release(lock, frontend.as_ref());
                }
                return Err(error);
            }
        };
        frontend.stage(LaunchStage::Recorded);
        let job = RunJob {
            task,
            request,
            bound,
            journal,
            lock,
            questions,
            resumable,
        };
        let result = drive(environment, job).await;
        frontend.stage(LaunchStage::Driven);
        result
    }

    /// Checks that the site here is the one that is recorded for `what`, such as `run 2026…`; a file that differs must be
    /// confirmed.
    ///
    /// # Errors
    /// Another site is wrong usage. A difference that no one can confirm now, or that is not confirmed, leaves `what` as it is.
    pub async fn check_site(
        &self,
        what: &str,
        recorded: &RecordedSite,
        own: &RecordedSite,
    ) -> Result<(), RunsError> {
        if recorded.name != own.name {
            return Err(RunsError::OtherSite {
                what: what.to_owned(),
                recorded: recorded.name.clone(),
                own: own.name.clone(),
            });
        }
        if recorded.digest == own.digest || self.site_confirmed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let known =
            |site: &RecordedSite| site.digest.clone().unwrap_or_else(|| "unknown".to_owned());
        let change = SiteChange {
            what: what.to_owned(),
            site: own.name.clone(),
            recorded: known(recorded),
            now: known(own),
        };
        match self.environment.frontend.confirm_site(&change).await {
            Confirmed::Yes => {
                self.confirm_changed_site();
                Ok(())
            }
            Confirmed::No => Err(RunsError::ChangedSiteNotConfirmed(change.what)),
            Confirmed::NotAsked => Err(RunsError::ChangedSite(change)),
        }
    }

    /// Only the runs of a lab may be forgotten with a restart of this machine.
    fn refuse_volatile(&self) -> Result<(), RunsError> {
        let state = self.environment.store.state();
        let there = state.ancestors().find(|it| it.exists());
        match (self.environment.backend.mode(), there) {
            (Mode::Live, Some(folder)) => {
                wreimage_journal::refuse_volatile(folder).map_err(RunsError::Volatile)
            }
            _ => Ok(()),
        }
    }

    /// Takes the lock that a run is to have.
    fn lock(&self, request: &RunRequest) -> Result<Option<HostLock>, RunsError> {
        let holder = Holder {
            run: request.run.clone(),
            actor: self.environment.actor.clone(),
            controller: self.environment.controller.clone(),
        };
        let name = request.lock.as_deref();
        name.map(|name| HostLock::take(&self.environment.store, name, &holder))
            .transpose()
    }
}

impl<'a> Launch<'a> {
    /// The components that call.
    fn identity(&self) -> GuestIdentity {
        match self {
            Launch::Begin { guest, .. }
            | Launch::Resume { guest, .. }
            | Launch::Cleanup {
                guest: Some(guest), ..
            } => GuestIdentity::of(&guest.guest),
            Launch::Cleanup { opened, .. } => GuestIdentity::absent(&opened.header),
        }
    }

    /// The host, and the task.
    fn target(&self) -> Result<RunTarget, RunsError> {
        match self {
            Launch::Begin { settings, host, .. } => Ok(RunTarget {
                host: (*host).to_owned(),
                task: task(&settings.options)?,
            }),
            Launch::Resume { opened, .. } | Launch::Cleanup { opened, .. } => {
                let options = opened.header.options.iter();
                let task = options.into_iter().find(|(name, _)| name == TASK);
                Ok(RunTarget {
                    host: opened.header.host.clone(),
                    task: task.map(|(_, task)| task.clone()),
                })
            }
        }
    }

    /// Whether other runs go on in the same lab at the same time: a batch is cleaned up run by run.
    fn shares_time(&self, launcher: &Launcher) -> bool {
        launcher.environment.is_batch && !matches!(self, Launch::Cleanup { .. })
    }

    /// What the run may do here, and what it is bound to.
    async fn request(
        &self,
        launcher: &Launcher,
        bound: &mut BoundBackend,
    ) -> Result<RunRequest, RunsError> {
        let mut request = match self {
            Launch::Begin {
                guest,
                settings,
                host,
                run,
            } => new_request(
                &launcher.environment,
                bound,
                &guest.guest,
                settings,
                host,
                *run,
            )?,
            Launch::Resume { opened, .. } => {
                launcher.check_site_of_run(&opened.header, bound).await?;
                launcher.check_not_overtaken(&opened.header)?;
                RunRequest::resumed(&opened.header)
            }
            Launch::Cleanup { opened, .. } => {
                launcher.check_site_of_run(&opened.header, bound).await?;
                bound.services.cut = opened.cut.as_ref().map(ToString::to_string);
                RunRequest::resumed(&opened.header)
            }
        };
        bound.complete(&mut request);
        Ok(request)
    }

    /// When the run was heard of last, by its lock; the time of a lab is another.
    fn heard(&self, launcher: &Launcher) -> Option<Timestamp> {
        let Launch::Resume { opened, .. } = self else {
            return None;
        };
        if launcher.environment.backend.pace() != Pace::Real {
            return None;
        }
        let locks = Locks::open(launcher.environment.store.state());
        let held = locks.and_then(|locks| locks.held()).ok()?;
        let held = held.into_iter().find(|it| it.run == opened.header.run)?;
        Timestamp::from_millisecond(i64::try_from(held.renewed_ms).ok()?).ok()
    }

    fn is_resumable(&self, launcher: &Launcher) -> bool {
        match self {
            Launch::Begin { settings, .. } => {
                settings.is_resumable(&launcher.environment.backend.mode())
            }
            Launch::Resume { .. } | Launch::Cleanup { .. } => true,
        }
    }

    fn questions(&self) -> Questions {
        match self {
            Launch::Begin { settings, .. } => settings.questions(),
            Launch::Resume { questions, .. } => questions.clone(),
            Launch::Cleanup { .. } => Questions::default(),
        }
    }

    /// The journal of the run, and what the engine is to do. A guest that another process may need is kept.
    fn open(
        self,
        environment: &Environment,
        request: &RunRequest,
        heard: Option<Timestamp>,
    ) -> Result<(RunDatabase, EngineTask<'a>), RunsError> {
        let state = environment.store.state();
        let pin = |it: &LoadedGuest| pin_guest(state, it.guest.digest(), &it.bytes);
        match self {
            Launch::Begin { guest, .. } => {
                let journal = RunDatabase::create(state, &request.run)?;
                pin(guest)?;
                Ok((journal, EngineTask::Begin(&guest.guest)))
            }
            Launch::Resume { guest, opened, .. } => {
                pin(guest)?;
                let task = EngineTask::Resume(&guest.guest, opened.entries, heard);
                Ok((opened.journal, task))
            }
            Launch::Cleanup { guest, opened } => {
                let guest = guest.map(|it| &it.guest);
                Ok((opened.journal, EngineTask::End(guest, opened.entries)))
            }
        }
    }
}

impl Launcher {
    /// The site must be the one that the run was started for.
    async fn check_site_of_run(
        &self,
        header: &Header,
        bound: &BoundBackend,
    ) -> Result<(), RunsError> {
        let recorded = RecordedSite {
            name: header.site.clone(),
            digest: header.policy.clone(),
        };
        let what = format!("run {}", header.run);
        self.check_site(&what, &recorded, &bound.recorded_site())
            .await
    }

    fn check_not_overtaken(&self, header: &Header) -> Result<(), RunsError> {
        match self.environment.store.overtaken_by(header)? {
            None => Ok(()),
            Some(other) => Err(RunsError::Overtaken {
                run: header.run.clone(),
                other,
                host: header.host.clone(),
            }),
        }
    }
}
