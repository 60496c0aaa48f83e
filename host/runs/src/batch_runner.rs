//! Several hosts beside each other: a run, a journal and an outcome each. What happens to one never disturbs another.

use crate::batch::Batch;
use crate::error::RunsError;
use crate::launcher::Launcher;
use crate::opened_run::OpenedRun;
use crate::run_result::{HostResult, HostTask, LoadedGuest, RunResult};
use crate::standing::header_of;
use crate::store::RunStore;
use crate::turns::Turn;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinError, JoinSet};
use wreimage_journal::{Entry, Record, RunOutcome};

/// How often a pause between two runs checks whether the batch is to end.
const END_INTERVAL: Duration = Duration::from_millis(200);

/// What is left to do for a batch: the hosts that have no run yet, and the runs that can be continued.
///
/// # Errors
/// When a run of its hosts cannot be read: it may be half-way, and must not be taken for one that was not begun.
pub fn open_tasks(store: &RunStore, batch: &Batch) -> Result<Vec<HostTask>, RunsError> {
    let hosts = batch.hosts()?;
    if let Some(error) = store.unreadable_since(&batch.id, hosts.names())? {
        return Err(error.into());
    }
    let mut begun = HashMap::new();
    for (run, entries) in store.runs_of_batch(&batch.id)? {
        if let Ok(header) = wreimage_engine::endable(&entries) {
            begun.insert(header.host.clone(), Some(run));
        } else if has_ended_untouched(&entries) {
            // It was cancelled before it changed anything, as those are that wait for their turn when a batch is stopped.
        } else if let Some(header) = header_of(&entries) {
            // One that has ended is not begun again; one that ended before anything was touched neither: an operator has to
            // check it first.
            begun.insert(header.host.clone(), None);
        }
    }
    let tasks = hosts
        .names()
        .iter()
        .filter_map(|host| match begun.get(host) {
            None => Some(HostTask::Begin(host.clone())),
            Some(Some(run)) => Some(HostTask::Resume(host.clone(), run.clone())),
            Some(None) => None,
        });
    Ok(tasks.collect())
}

/// Whether a run was cancelled before it changed anything.
fn has_ended_untouched(entries: &[Entry]) -> bool {
    matches!(
        entries.last().map(|entry| &entry.record),
        Some(Record::Finished(ending)) if ending.outcome == RunOutcome::Cancelled && !ending.touched
    )
}

/// A task, and how its run ended.
type Worked = (HostTask, Result<RunResult, RunsError>);

/// Works on the hosts of a batch, so many at a time, until all are done or too many runs have failed.
pub struct BatchRunner {
    launcher: Arc<Launcher>,
    guest: Arc<LoadedGuest>,
    batch: Arc<Batch>,
    /// The hosts in the order in which they were named.
    order: Vec<String>,
    turns: UnboundedReceiver<Turn>,
    takes_turns: bool,
    /// Not begun yet.
    waiting: VecDeque<HostTask>,
    working: JoinSet<Worked>,
    tasks: HashMap<Id, HostTask>,
    /// Validated, with consent, and waiting for their turn.
    ready: Vec<(Arc<str>, oneshot::Sender<bool>)>,
    /// Their turn has come.
    going: HashSet<Arc<str>>,
    /// Their turn does not come.
    kept_back: HashSet<Arc<str>>,
    results: Vec<HostResult>,
    failed: u16,
    /// So many have begun: with their first change where runs take turns, with the run where they do not.
    began: usize,
}

impl BatchRunner {
    /// For these tasks of a batch. Once a process: its runs take turns from now on.
    ///
    /// # Errors
    /// When the hosts of the batch cannot be understood.
    pub fn new(
        launcher: Arc<Launcher>,
        guest: Arc<LoadedGuest>,
        batch: Batch,
        tasks: impl IntoIterator<Item = HostTask>,
    ) -> Result<Self, RunsError> {
        let order = batch.hosts()?.names().to_vec();
        Ok(BatchRunner {
            turns: launcher.environment().turns.begin(),
            takes_turns: takes_turns(&guest, &batch),
            launcher,
            guest,
            batch: Arc::new(batch),
            order,
            waiting: tasks.into_iter().collect(),
            working: JoinSet::new(),
            tasks: HashMap::new(),
            ready: Vec::new(),
            going: HashSet::new(),
            kept_back: HashSet::new(),
            results: Vec::new(),
            failed: 0,
            began: 0,
        })
    }

    /// Does the work. The results are in the order in which the hosts were named.
    pub async fn work(self) -> Vec<HostResult> {
        allow_many_files();
        let watch = tokio::spawn(cancel_from_elsewhere(
            self.launcher.clone(),
            self.batch.clone(),
        ));
        let order = self.order.clone();
        let mut results = self.finish().await;
        watch.abort();
        results.sort_by_key(|result| order.iter().position(|host| host == result.task.host()));
        results
    }

    async fn finish(mut self) -> Vec<HostResult> {
        loop {
            let may_begin = self.failed < self.batch.max_failures && !self.is_ending();
            if may_begin && self.begin_one().await {
                continue;
            }
            if !may_begin {
                for (host, turn) in self.ready.drain(..) {
                    let _gone = turn.send(false);
                    self.kept_back.insert(host);
                }
            } else if self.let_one_go().await {
                continue;
            }
            tokio::select! {
                Some(turn) = self.turns.recv() => self.take_turn(turn),
                ended = self.working.join_next_with_id() => match ended {
                    Some(ended) => self.take_end(ended),
                    None => break,
                },
            }
        }
        let not_begun = self.waiting.drain(..).map(|task| HostResult {
            task,
            result: None,
            is_kept_back: false,
        });
        self.results.extend(not_begun);
        self.results
    }

    fn is_ending(&self) -> bool {
        self.launcher.environment().active.is_ending()
    }

    /// Runs that are being validated, or are at work without turns.
    fn at_work(&self) -> usize {
        let beyond = self.ready.len() + self.going.len() + self.kept_back.len();
        self.working.len().saturating_sub(beyond)
    }

    fn has_room(&self, occupied: usize) -> bool {
        occupied < usize::from(self.batch.parallel)
    }

    /// Begins a run, if there is one to begin with and room for it.
    async fn begin_one(&mut self) -> bool {
        let occupied = match self.waiting.front() {
            None => return false,
            Some(HostTask::Begin(_)) => self.at_work(),
            // It may be half-way, and is at work at once then.
            Some(HostTask::Resume(..)) => self.at_work() + self.going.len(),
        };
        if !self.has_room(occupied) {
            return false;
        }
        let Some(task) = self.waiting.pop_front() else {
            return false;
        };
        if !self.takes_turns && !self.rest().await {
            self.waiting.push_front(task);
            return true;
        }
        let (launcher, guest, batch) = (
            self.launcher.clone(),
            self.guest.clone(),
            self.batch.clone(),
        );
        let of = task.clone();
        let handle = self.working.spawn(async move {
            let result = launch(&launcher, &guest, &batch, &task).await;
            (task, result)
        });
        self.tasks.insert(handle.id(), of);
        true
    }

    /// When all are validated: the first of those that are ready, in the order of the hosts, may change something.
    async fn let_one_go(&mut self) -> bool {
        let all_validated = self.waiting.is_empty() && self.at_work() == 0;
        if !all_validated || self.ready.is_empty() || !self.has_room(self.going.len()) {
            return false;
        }
        if !self.rest().await {
            return true;
        }
        let place = |host: &str| self.order.iter().position(|name| name == host);
        let first = (0..self.ready.len())
            .min_by_key(|index| self.ready.get(*index).and_then(|(host, _)| place(host)));
        let (host, turn) = self.ready.swap_remove(first.unwrap_or_default());
        self.going.insert(host);
        let _gone = turn.send(true);
        true
    }

    /// Pauses between two beginnings; false when the operator wants it all to end.
    async fn rest(&mut self) -> bool {
        let rested = self.began == 0 || self.pause().await;
        self.began += usize::from(rested);
        rested
    }

    async fn pause(&self) -> bool {
        let pause = self.batch.batch_sleep.unwrap_or_default();
        let end = tokio::time::Instant::now() + pause;
        while tokio::time::Instant::now() < end {
            if self.is_ending() {
                return false;
            }
            tokio::time::sleep(END_INTERVAL.min(end - tokio::time::Instant::now())).await;
        }
        true
    }

    fn take_turn(&mut self, turn: Turn) {
        match turn {
            Turn::Ready { host, may_begin } => self.ready.push((host, may_begin)),
            Turn::HalfWay { host } => {
                self.going.insert(host);
            }
        }
    }

    fn take_end(&mut self, ended: Result<(Id, Worked), JoinError>) {
        let (task, result) = match ended {
            Ok((_, ended)) => ended,
            // A defect in the program ends one run; the others continue.
            Err(error) => {
                let Some(task) = self.tasks.get(&error.id()) else {
                    return;
                };
                (task.clone(), Err(RunsError::Lost(error)))
            }
        };
        // What it has sent before its end is here already, and may not have been read.
        while let Ok(turn) = self.turns.try_recv() {
            self.take_turn(turn);
        }
        let host = task.host();
        self.ready.retain(|(ready, _)| &**ready != host);
        self.going.remove(host);
        let is_kept_back = self.kept_back.remove(host);
        let is_done = result
            .as_ref()
            .is_ok_and(|result| result.report.ending.outcome.is_success());
        self.failed = self.failed.saturating_add(u16::from(!is_done));
        let result = HostResult {
            task,
            result: Some(result),
            is_kept_back,
        };
        self.launcher.environment().frontend.host_ended(&result);
        self.results.push(result);
    }
}

/// Each run that waits for its turn has its journal and its lock open: as many files as the system allows may be.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    // Where it is refused, a run that finds no file left reports it.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
}

/// Whether the runs change something: then the first change of any waits until all are validated.
fn takes_turns(guest: &LoadedGuest, batch: &Batch) -> bool {
    let guest = &guest.guest;
    let mut plugs = guest.plugs().iter();
    let mutates = guest.description().mutates || plugs.any(|plug| plug.description.mutates);
    mutates && !batch.settings.dry_run
}

/// Cancels all of it when another process leaves that wish.
async fn cancel_from_elsewhere(launcher: Arc<Launcher>, batch: Arc<Batch>) {
    let environment = launcher.environment();
    while !batch.is_cancelled(environment.store.state()) {
        tokio::time::sleep(END_INTERVAL).await;
    }
    let frontend = &environment.frontend;
    frontend.line("the batch is cancelled from another terminal");
    environment.active.cancel();
    frontend.cancelling();
}

async fn launch(
    launcher: &Launcher,
    guest: &LoadedGuest,
    batch: &Batch,
    task: &HostTask,
) -> Result<RunResult, RunsError> {
    match task {
        HostTask::Begin(host) => launcher.begin(guest, &batch.settings, host, None).await,
        HostTask::Resume(_, run) => {
            let opened = OpenedRun::to_resume(&launcher.environment().store, run)?;
            let questions = batch.settings.questions();
            launcher.resume(guest, opened, questions).await
        }
    }
}
