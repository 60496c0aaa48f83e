//! Several hosts beside each other: a run, a journal and an outcome each, and one summary. What happens to one never
//! disturbs another.

mod summary;

use crate::begin::{self, Tools};
use crate::drive::Driven;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::resume;
use crate::session::Session;
use crate::tell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use summary::{Done, conclude, headline};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinError, JoinSet};
use wreimage_runs::Batch;
use wreimage_runs::{RunsError, Turn};

/// How often a pause between two runs checks whether the batch is to end.
const LOOK: Duration = Duration::from_millis(200);

/// What is to be done on a host.
#[derive(Debug, Clone)]
pub enum Task {
    Begin(String),
    /// Go on with this run.
    Resume(String, String),
}

impl Task {
    fn host(&self) -> &str {
        match self {
            Task::Begin(host) | Task::Resume(host, _) => host,
        }
    }
}

/// Begins with all hosts of a batch.
pub async fn run(
    session: &Arc<Session>,
    tools: &Arc<Tools>,
    batch: Batch,
) -> Result<Exit, Failure> {
    let mut driven = None;
    if batch.is_resumable() {
        let state = tools.ground.state()?;
        batch.keep(&state)?;
        driven = Some(batch.drive(&state).await?);
        tell::line(&format!("batch {}", batch.id));
    }
    let tasks = session.hosts.names().iter().cloned().map(Task::Begin);
    let tasks = tasks.collect();
    let ended = work(session, tools, &Arc::new(batch), tasks).await;
    drop(driven);
    ended
}

/// A task, and how its run ended.
type Worked = (Task, Result<Driven, Failure>);

/// Works on hosts, so many at a time, until all are done or too many are not well; then sums up.
pub async fn work(
    session: &Arc<Session>,
    tools: &Arc<Tools>,
    batch: &Arc<Batch>,
    tasks: VecDeque<Task>,
) -> Result<Exit, Failure> {
    allow_many_files();
    let watch = tokio::spawn(cancel_from_elsewhere(
        session.clone(),
        batch.clone(),
        tools.ground.state()?,
    ));
    let work = Work {
        session,
        tools,
        batch,
        turns: session.turns.begin(),
        takes_turns: takes_turns(tools, batch),
        waiting: tasks,
        working: JoinSet::new(),
        tasks: HashMap::new(),
        ready: Vec::new(),
        going: HashSet::new(),
        kept_back: HashSet::new(),
        done: Vec::new(),
        unwell: 0,
        began: 0,
    };
    let done = work.finish().await;
    watch.abort();
    conclude(session, batch, done)
}

/// Each run that waits for its turn has its journal and its lock open: as many files as the system allows may be.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum;
    // Where it is refused, a run that finds no file left says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
}

/// Whether the runs change something: then the first change of any waits until all are validated.
fn takes_turns(tools: &Tools, batch: &Batch) -> bool {
    let mut plugs = tools.guest.plugs().iter();
    let mutates = tools.guest.description().mutates || plugs.any(|plug| plug.description.mutates);
    mutates && !batch.settings.dry_run
}

/// The work on the hosts of a batch.
struct Work<'a> {
    session: &'a Arc<Session>,
    tools: &'a Arc<Tools>,
    batch: &'a Arc<Batch>,
    turns: UnboundedReceiver<Turn>,
    takes_turns: bool,
    /// Not begun yet.
    waiting: VecDeque<Task>,
    working: JoinSet<Worked>,
    tasks: HashMap<Id, Task>,
    /// Validated, with consent, and waiting for their turn.
    ready: Vec<(Arc<str>, oneshot::Sender<bool>)>,
    /// Their turn has come.
    going: HashSet<Arc<str>>,
    /// Their turn does not come.
    kept_back: HashSet<Arc<str>>,
    done: Vec<Done>,
    unwell: u16,
    /// So many have begun: with their first change where runs take turns, with the run where they do not.
    began: usize,
}

impl Work<'_> {
    async fn finish(mut self) -> Vec<Done> {
        loop {
            let may_begin = self.unwell < self.batch.max_failures && !self.session.is_ending();
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
        let not_begun = self.waiting.drain(..).map(|task| Done {
            task,
            driven: None,
            is_kept_back: false,
        });
        self.done.extend(not_begun);
        self.done
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
            Some(Task::Begin(_)) => self.at_work(),
            // It may be half-way, and is at work at once then.
            Some(Task::Resume(..)) => self.at_work() + self.going.len(),
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
        let (session, tools, batch) =
            (self.session.clone(), self.tools.clone(), self.batch.clone());
        let of = task.clone();
        let handle = self.working.spawn(async move {
            let driven = one(&session, &tools, &batch, &task).await;
            (task, driven)
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
        let order = self.session.hosts.names();
        let place = |host: &str| order.iter().position(|name| name == host);
        let first = (0..self.ready.len())
            .min_by_key(|index| self.ready.get(*index).and_then(|(host, _)| place(host)));
        let (host, turn) = self.ready.swap_remove(first.unwrap_or_default());
        self.going.insert(host);
        let _gone = turn.send(true);
        true
    }

    /// Pauses between two beginnings; false when the operator wants it all to end.
    async fn rest(&mut self) -> bool {
        let rested = self.began == 0 || rest(self.session, self.batch.batch_sleep).await;
        self.began += usize::from(rested);
        rested
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
        let (task, driven) = match ended {
            Ok((_, ended)) => ended,
            // A defect in the program ends one run; the others go on.
            Err(error) => {
                let Some(task) = self.tasks.get(&error.id()) else {
                    return;
                };
                (task.clone(), Err(RunsError::Lost(error).into()))
            }
        };
        // What it has said before its end is here already, and may not have been read.
        while let Ok(turn) = self.turns.try_recv() {
            self.take_turn(turn);
        }
        let host = task.host();
        self.ready.retain(|(ready, _)| &**ready != host);
        self.going.remove(host);
        let is_kept_back = self.kept_back.remove(host);
        let is_well = driven
            .as_ref()
            .is_ok_and(|driven| driven.report.ending.outcome.is_success());
        self.unwell = self.unwell.saturating_add(u16::from(!is_well));
        let line = if is_kept_back {
            format!("{host}: not begun: nothing was changed")
        } else {
            headline(&task, &driven)
        };
        self.session.face.line(&line);
        self.done.push(Done {
            task,
            driven: Some(driven),
            is_kept_back,
        });
    }
}

/// Cancels all of it when somebody says so from another terminal.
async fn cancel_from_elsewhere(session: Arc<Session>, batch: Arc<Batch>, state: PathBuf) {
    while !batch.is_cancelled(&state) {
        tokio::time::sleep(LOOK).await;
    }
    session
        .face
        .line("the batch is cancelled from another terminal");
    session.cancel();
}

/// Pauses between two beginnings; false when the operator wants it all to end.
async fn rest(session: &Session, pause: Option<Duration>) -> bool {
    let end = tokio::time::Instant::now() + pause.unwrap_or_default();
    while tokio::time::Instant::now() < end {
        if session.is_ending() {
            return false;
        }
        tokio::time::sleep(LOOK.min(end - tokio::time::Instant::now())).await;
    }
    true
}

async fn one(
    session: &Arc<Session>,
    tools: &Tools,
    batch: &Batch,
    task: &Task,
) -> Result<Driven, Failure> {
    match task {
        Task::Begin(host) => begin::begin(session, tools, &batch.settings, host, None).await,
        Task::Resume(_, run) => {
            let questions = batch.settings.questions();
            resume::one(session, tools, run, questions).await
        }
    }
}
