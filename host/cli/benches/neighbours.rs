//! How late a sleep of a run ends beside guests that call the host without a pause, and how long such a batch takes to end when it
//! is cancelled: `cargo bench --workspace --bench neighbours`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wreimage_engine::{
    Absent, Cancel, Engine, Guest, Listener, OptionValues, Report, RunRequest, Services,
};
use wreimage_journal::{Record, RunDatabase, RunOutcome};
use wreimage_lab::{Lab, Pace, World};

/// For so long a batch runs before it is cancelled.
const WATCHED: Duration = Duration::from_secs(8);
/// A sleep ends at most so late, in milliseconds.
const LATEST: u64 = 100;
/// So long after a cancel all runs have ended: the grace of 10 s, and the end itself.
const GRACE: Duration = Duration::from_secs(11);

fn main() {
    let bench = Bench::new();
    let mut is_kept = true;
    for by in ["log", "clock", "note"] {
        is_kept &= bench.batch(&[by]);
    }
    // More guests than threads: shown, without a bar.
    bench.batch(&["log", "clock", "note"]);
    assert!(is_kept, "a bar is exceeded beside one guest that spins");
}

struct Bench {
    runtime: Runtime,
    engine: Engine,
    guest: Arc<Guest>,
    state: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        // As many threads as the program has on two cores.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let engine = Engine::new(None).unwrap();
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/fixtures/spins.wasm");
        let bytes = std::fs::read(&path).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; build the guests first: cargo xtask guests --fixtures",
                path.display()
            )
        });
        let guest = Arc::new(runtime.block_on(Guest::load(&engine, &bytes)).unwrap());
        Bench {
            runtime,
            engine,
            guest,
            state: tempfile::tempdir().unwrap(),
        }
    }

    /// A run that sleeps, and beside it guests that call these without a pause, until all are cancelled. Whether the bars are kept.
    fn batch(&self, spins: &[&'static str]) -> bool {
        let late = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let cancels = Arc::new(Mutex::new(HashMap::new()));
        let mut tasks = Vec::new();
        for by in ["sleep"].iter().chain(spins) {
            let run = Run {
                by,
                engine: self.engine.clone(),
                guest: self.guest.clone(),
                state: self.state.path().to_owned(),
                listener: (*by == "sleep").then(|| lateness(late.clone())),
                ended: ended.clone(),
                cancels: cancels.clone(),
            };
            tasks.push(self.runtime.spawn(run.repeat()));
        }
        std::thread::sleep(WATCHED);
        let mut late = std::mem::take(&mut *late.lock().unwrap());
        ended.store(true, Ordering::SeqCst);
        let cancelled = Instant::now();
        for cancel in cancels.lock().unwrap().values() {
            Cancel::cancel(cancel);
        }
        let mut exceeded = 0;
        for task in tasks {
            exceeded += self.runtime.block_on(task).unwrap();
        }
        let took = cancelled.elapsed();
        late.sort_unstable();
        let at = |part: usize| late.get(late.len() * part / 100).copied().unwrap_or(0);
        let last = late.last().copied().unwrap();
        println!(
            "beside {}: {} sleeps of 50 ms end late by {} ms (median), {} ms (p95), {last} ms (last; bar {LATEST} ms); all have ended \
             {:.1} s after the cancel (bar {} s); runs that exceeded a bound and were begun again: {exceeded}",
            spins.join(", "),
            late.len(),
            at(50),
            at(95),
            took.as_secs_f64(),
            GRACE.as_secs()
        );
        last <= LATEST && took <= GRACE
    }
}

/// Collects by how many milliseconds the sleeps of a run end late.
fn lateness(late: Arc<Mutex<Vec<u64>>>) -> Listener {
    let dues = Mutex::new(HashMap::new());
    Arc::new(move |entry| match &entry.record {
        Record::Timer(timer) => {
            dues.lock().unwrap().insert(timer.call, timer.due_ms);
        }
        Record::Outcome(outcome) => {
            if let Some(due) = dues.lock().unwrap().remove(&outcome.call) {
                let ended = u64::try_from(entry.time.as_millisecond()).unwrap();
                late.lock().unwrap().push(ended.saturating_sub(due));
            }
        }
        _ => {}
    })
}

/// A run of a batch, with the bounds that every run has.
struct Run {
    by: &'static str,
    engine: Engine,
    guest: Arc<Guest>,
    state: PathBuf,
    listener: Option<Listener>,
    /// Set when the batch is cancelled.
    ended: Arc<AtomicBool>,
    /// What cancels each run that is under way.
    cancels: Arc<Mutex<HashMap<&'static str, Cancel>>>,
}

impl Run {
    /// Runs until the batch is cancelled: a run that has exceeded a bound is begun again. How often that was.
    async fn repeat(self) -> usize {
        let mut exceeded = 0;
        loop {
            let ending = self.once().await.ending;
            if ending.outcome == RunOutcome::Cancelled {
                return exceeded;
            }
            assert!(ending.summary.contains("`limits."), "{}", ending.summary);
            exceeded += 1;
        }
    }

    async fn once(&self) -> Report {
        let lab = Lab::new(World::builtin().unwrap(), Pace::Real);
        // The clock is that of the system: what is measured is real time.
        let mut services = Services::new(lab.providers("host1001"));
        services.listener.clone_from(&self.listener);
        {
            let mut cancels = self.cancels.lock().unwrap();
            cancels.insert(self.by, services.cancel.clone());
            if self.ended.load(Ordering::SeqCst) {
                services.cancel.cancel();
            }
        }
        let mut request = RunRequest::new("host1001", "lab1");
        let given = [("by", self.by.to_owned())];
        request.options =
            OptionValues::check(self.guest.description(), given, &Absent::new()).unwrap();
        services.log = Arc::new(RunDatabase::create(&self.state, &request.run).unwrap());
        wreimage_engine::run(&self.engine, &self.guest, request, services)
            .await
            .unwrap()
    }
}
