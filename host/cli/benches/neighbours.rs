//! How late a sleep of a run ends beside guests that call the host without a pause, and how long such guests take to end when
//! they are cancelled: `cargo bench --bench neighbours`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wreimage_engine::{Absent, Cancel, Engine, Guest, OptionValues, RunRequest, Services};
use wreimage_journal::{Record, RunDatabase};
use wreimage_lab::{Lab, Pace, World};

/// For so long the neighbours are watched.
const WATCHED: Duration = Duration::from_secs(8);

fn main() {
    // As many threads as the program has on two cores.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let engine = Engine::new(None).unwrap();
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/fixtures/spins.wasm");
    let bytes = std::fs::read(path).unwrap();
    let guest = Arc::new(runtime.block_on(Guest::load(&engine, &bytes)).unwrap());
    let state = tempfile::tempdir().unwrap();
    let cancel = Cancel::new();
    let late = Arc::new(Mutex::new(Vec::new()));
    let mut runs = Vec::new();
    for (number, by) in ["sleep", "log", "clock", "note"].into_iter().enumerate() {
        let host = format!("host{}", 1001 + number);
        let lab = Lab::new(World::builtin().unwrap(), Pace::Real);
        // The clock is that of the system: what is measured is real time.
        let mut services = Services::new(lab.providers(&host));
        services.cancel = cancel.clone();
        let mut request = RunRequest::new(&host, "lab1");
        let given = [("by", by.to_owned())];
        request.options = OptionValues::check(guest.description(), given, &Absent::new()).unwrap();
        request.limits.records = u64::MAX;
        request.limits.journal = u64::MAX;
        services.log = Arc::new(RunDatabase::create(state.path(), &request.run).unwrap());
        let late = late.clone();
        let dues = Mutex::new(HashMap::new());
        services.listener = Some(Arc::new(move |entry| match &entry.record {
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
        }));
        let (engine, guest) = (engine.clone(), guest.clone());
        runs.push(
            runtime.spawn(
                async move { wreimage_engine::run(&engine, &guest, request, services).await },
            ),
        );
    }
    std::thread::sleep(WATCHED);
    let mut late = std::mem::take(&mut *late.lock().unwrap());
    late.sort_unstable();
    let at = |part: usize| late.get(late.len() * part / 100).copied().unwrap_or(0);
    println!(
        "{} sleeps of 50 ms beside three guests that spin: late by {} ms (median), {} ms (p95), {} ms (last; bar 100 ms)",
        late.len(),
        at(50),
        at(95),
        late.last().copied().unwrap_or(0)
    );
    let began = Instant::now();
    cancel.cancel();
    for run in runs {
        let report = runtime.block_on(run).unwrap().unwrap();
        assert_eq!(
            report.ending.outcome, "cancelled",
            "{}",
            report.ending.summary
        );
    }
    println!(
        "from the cancel to the end of all: {:.1} s (bar: the grace of 10 s, and 1 s)",
        began.elapsed().as_secs_f64()
    );
}
