//! Runs that go on in the background: a process of their own, which no terminal holds.

use crate::arguments::{Going, Place};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use crate::setup::backend;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wreimage_engine::RunRequest;
use wreimage_runs::Hosts;
use wreimage_runs::{Batch, DetachedLog, RunStore};

/// How long a run may take until its first record.
const BEGIN: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);

/// The variable by which a process in the background is told the id of its run or batch.
const RUN: &str = "WREIMAGE_DETACHED_RUN";

/// The id that this process was told, if it is in the background.
pub fn given_run() -> Option<String> {
    std::env::var(RUN).ok().filter(|run| !run.is_empty())
}

/// Starts `wreimage run` in the background.
pub async fn run(
    place: &Place,
    hosts: &Hosts,
    has_consent: bool,
    words: Vec<OsString>,
) -> Result<Exit, Failure> {
    if !has_consent {
        return Err(Failure::Usage(format!(
            "--detach leaves nobody who could consent: give it with --yes {}",
            hosts.in_a_shell()
        )));
    }
    let state = backend::state_of(place)?;
    let store = RunStore::new(&state);
    // The runs of a batch begin one after the other: with the first the process has begun.
    let is_batch = hosts.names().len() > 1;
    let id = match hosts.names() {
        [host] => RunRequest::new(host, "").run,
        _ => Batch::new_id(),
    };
    start(&state, &id, words, |_| {
        if is_batch {
            !store.runs_of_batch(&id).unwrap_or_default().is_empty()
        } else {
            store.read(&id).is_ok_and(|records| !records.is_empty())
        }
    })
    .await
}

/// Starts `wreimage resume` in the background.
pub async fn resume(store: &RunStore, going: &Going) -> Result<Exit, Failure> {
    let is_batch = Batch::read(store.state(), &going.run)?.is_some();
    let id = if is_batch {
        going.run.clone()
    } else {
        store.find(&going.run)?
    };
    let words = std::env::args_os().collect();
    let runs = || -> Vec<(String, usize)> {
        if is_batch {
            let runs = store.runs_of_batch(&id).unwrap_or_default();
            runs.into_iter()
                .map(|(run, records)| (run, records.len()))
                .collect()
        } else {
            let records = store.read(&id).unwrap_or_default();
            vec![(id.clone(), records.len())]
        }
    };
    let before: BTreeMap<String, usize> = runs().into_iter().collect();
    start(store.state(), &id, words, |child| {
        // A process that only looks whether it may go on drives the run as well, and leaves no record.
        runs().into_iter().any(|(run, records)| {
            let goes_on = records > before.get(&run).copied().unwrap_or(0);
            goes_on
                && wreimage_journal::last_driver(store.state(), &run)
                    .is_some_and(|it| it.id == child)
                && matches!(store.driver(&run), Ok(Some(_)))
        })
    })
    .await
}

/// Starts this program again, and waits until the process of this id has `begun`, or until it has failed.
async fn start(
    state: &Path,
    id: &str,
    words: Vec<OsString>,
    begun: impl Fn(u32) -> bool,
) -> Result<Exit, Failure> {
    let failed = |source: std::io::Error| Failure::System {
        what: "no process can be started in the background",
        source,
    };
    let (log, file) = DetachedLog::create(state, id).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .args(words.into_iter().skip(1).filter(|word| word != "--detach"))
        .env(RUN, id)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        // What a terminal sends to those that it has started does not reach it.
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    let end = Instant::now() + BEGIN;
    while !begun(child.id()) {
        if let Some(status) = child.try_wait().map_err(failed)? {
            for line in log.text().lines() {
                print::line(line);
            }
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            return Ok(Exit::of_code(code.unwrap_or(70)));
        }
        if Instant::now() >= end {
            return Err(Failure::Internal(format!(
                "process {} has not begun within {} s; what it says is in {}",
                child.id(),
                BEGIN.as_secs(),
                log.path().display()
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
    print::line(&format!(
        "process {} goes on in the background; to see it: wreimage attach {id}; to cancel it: wreimage cancel {id}",
        child.id()
    ));
    print::own(&format!("{id}\n"))?;
    Ok(Exit::Success)
}
