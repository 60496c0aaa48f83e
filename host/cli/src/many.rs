//! Several hosts beside each other: a run, a journal and an outcome each, and one summary. What happens to one never
//! disturbs another.

use crate::arguments::Output;
use crate::batch::Batch;
use crate::begin::{self, Tools};
use crate::drive::Driven;
use crate::exit::{Exit, Failure};
use crate::face::{self, words};
use crate::resume;
use crate::session::Session;
use crate::tell::{self, Page};
use serde_json::json;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use wreimage_journal::Mode;

/// How often a pause between two beginnings looks whether it is still meant.
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
    if begin::is_resumable(&tools.ground, &batch.order) {
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

/// How the work on one host ended.
type Done = (Task, Option<Result<Driven, Failure>>);

/// Works on hosts, so many at a time, until all are done or too many are not well; then sums up.
pub async fn work(
    session: &Arc<Session>,
    tools: &Arc<Tools>,
    batch: &Arc<Batch>,
    tasks: VecDeque<Task>,
) -> Result<Exit, Failure> {
    let mut waiting = tasks;
    let mut working: JoinSet<(Task, Result<Driven, Failure>)> = JoinSet::new();
    let mut hosts = std::collections::HashMap::new();
    let (mut done, mut unwell): (Vec<Done>, u16) = (Vec::new(), 0);
    let mut began = 0;
    let watch = tokio::spawn(cancel_from_elsewhere(
        session.clone(),
        batch.clone(),
        tools.ground.state()?,
    ));
    loop {
        let may_begin = unwell < batch.max_failures && !session.is_ending();
        if may_begin
            && working.len() < usize::from(batch.parallel)
            && let Some(task) = waiting.pop_front()
        {
            if began > 0 && !rest(session, batch.batch_sleep).await {
                waiting.push_front(task);
                continue;
            }
            began += 1;
            let (session, tools, batch) = (session.clone(), tools.clone(), batch.clone());
            let of = task.clone();
            let handle = working.spawn(async move {
                let driven = one(&session, &tools, &batch, &task).await;
                (task, driven)
            });
            hosts.insert(handle.id(), of);
            continue;
        }
        let Some(ended) = working.join_next_with_id().await else {
            break;
        };
        let (task, driven) = match ended {
            Ok((_, ended)) => ended,
            // A defect in the program ends one run; the others go on.
            Err(error) => {
                let Some(task) = hosts.get(&error.id()) else {
                    continue;
                };
                let why = format!("the run was lost in this process: {error}");
                (task.clone(), Err(Failure::internal(why)))
            }
        };
        let is_well = driven
            .as_ref()
            .is_ok_and(|driven| driven.report.ending.exit_code == 0);
        unwell += u16::from(!is_well);
        session.face.line(&headline(&task, &driven));
        done.push((task, Some(driven)));
    }
    watch.abort();
    done.extend(waiting.into_iter().map(|task| (task, None)));
    conclude(session, batch, done)
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
        Task::Begin(host) => begin::begin(session, tools, &batch.order, host, None).await,
        Task::Resume(_, run) => {
            let questions = batch.order.questions();
            resume::one(session, tools, run, questions).await
        }
    }
}

fn headline(task: &Task, driven: &Result<Driven, Failure>) -> String {
    let host = task.host();
    match driven {
        Ok(driven) => {
            let ending = &driven.report.ending;
            format!(
                "{host}: {}: {}",
                ending.outcome,
                words::short(&ending.summary)
            )
        }
        Err(failure) => format!("{host}: {failure}"),
    }
}

/// The reports of those that are not well, then one line a host.
fn conclude(session: &Session, batch: &Batch, mut done: Vec<Done>) -> Result<Exit, Failure> {
    session.face.finish();
    let order = session.hosts.names();
    done.sort_by_key(|(task, _)| order.iter().position(|host| host == task.host()));
    let mut text = Page::default();
    let mut exit = Exit::Success;
    let mut lines = Vec::new();
    for (task, driven) in &done {
        let (outcome, run, took, said) = match driven {
            Some(Ok(driven)) => {
                let report = &driven.report;
                let ending = &report.ending;
                exit = exit.worse(Exit::of_run(
                    ending.exit_code,
                    &ending.outcome,
                    session.strict,
                ));
                if ending.exit_code != 0 {
                    text.append(&face::report(report));
                }
                (
                    ending.outcome.as_str(),
                    Some(report.run.as_str()),
                    report.took_ms,
                    ending.summary.clone(),
                )
            }
            Some(Err(failure)) => {
                exit = exit.worse(failure.exit());
                ("not run", None, 0, failure.to_string())
            }
            None => {
                exit = exit.worse(Exit::Cancelled);
                let why = "too many runs were not well, or it was cancelled or stopped".to_owned();
                ("not begun", None, 0, why)
            }
        };
        lines.push(json!({
            "host": task.host(), "outcome": outcome, "run": run, "took_ms": took, "summary": said,
        }));
    }
    if session.output == Output::Json {
        let all = json!({ "event": "summary", "batch": batch.id, "hosts": lines });
        tell::json(&all)?;
        return Ok(exit);
    }
    let is_well = |line: &&serde_json::Value| {
        matches!(line["outcome"].as_str(), Some("success" | "warnings"))
    };
    let well = lines.iter().filter(is_well).count();
    text.gap();
    text.line(format!("{} hosts, {well} done", lines.len()));
    for line in &lines {
        let word = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        text.line(format!(
            "  {:<12} {:<10} {:>8}  {}",
            word("host"),
            word("outcome"),
            words::duration(line["took_ms"].as_u64().unwrap_or(0)),
            words::short(&word("summary"))
        ));
        if let Some(run) = line["run"].as_str() {
            text.line(format!("               {run}"));
        }
    }
    tell::page(&text)?;
    let open = done.iter().any(|(_, driven)| match driven {
        Some(Ok(driven)) => driven.report.ending.outcome == "paused",
        _ => true,
    });
    if exit != Exit::Success {
        tell::line(&format!("next: wreimage show {}", batch.id));
    }
    if open && begin_can_go_on(batch) {
        tell::line(&format!(
            "to go on with those that wait or were not begun: wreimage resume {}",
            batch.id
        ));
    }
    Ok(exit)
}

fn begin_can_go_on(batch: &Batch) -> bool {
    batch.mode != Mode::Lab && !batch.order.dry_run
}
