//! What the journal costs. Run by `cargo bench --workspace --bench journal`.
//!
//! A `once` call is measured beside what it cannot do without: two flushes of a growing file, on the same file system, in
//! the same run.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wreimage_engine::{
    Absent, Engine, GivenConsent, Going, Guest, OptionValues, Report, RunRequest, Services,
};
use wreimage_journal::{Entry, Header, Log, MemoryLog, Record, RunDatabase};
use wreimage_lab::{Lab, Pace, World};

const ONCES: u32 = 300;
const READS: u32 = 10_000;
const REPLAYED: u32 = 1000;
const ROUNDS: usize = 5;

struct Bench {
    runtime: Runtime,
    engine: Engine,
    state: tempfile::TempDir,
}

impl Bench {
    fn load(&self, name: &str) -> Guest {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../target/guests")
            .join(name);
        let bytes = std::fs::read(path).expect("cargo xtask guests --fixtures");
        self.runtime
            .block_on(Guest::load(&self.engine, &bytes))
            .unwrap()
    }

    fn services(&self, log: Arc<dyn Log>) -> Services {
        let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
        let mut services = Services::new(lab.providers("host1001"));
        services.clock = lab.clock();
        services.consent = Arc::new(GivenConsent("host1001".to_owned()));
        services.log = log;
        services
    }

    /// How long a run takes whose journal is on disk, and where that is.
    fn run(&self, guest: &Guest, given: &[(&str, &str)]) -> (Duration, Report) {
        let mut request = RunRequest::new("host1001", "lab1");
        request.options = options(guest, given);
        let journal = RunDatabase::create(self.state.path(), &request.run).unwrap();
        let services = self.services(Arc::new(journal));
        let began = Instant::now();
        let report = self
            .runtime
            .block_on(wreimage_engine::run(&self.engine, guest, request, services))
            .unwrap();
        (began.elapsed(), report)
    }
}

fn options(guest: &Guest, given: &[(&str, &str)]) -> OptionValues {
    let given = given
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    OptionValues::check(guest.description(), given, &Absent::new()).unwrap()
}

/// The best of some rounds: what disturbs a measurement only makes it longer.
fn best(mut round: impl FnMut() -> Duration) -> Duration {
    (0..ROUNDS).map(|_| round()).min().unwrap()
}

fn main() {
    let bench = Bench {
        runtime: Runtime::new().unwrap(),
        engine: Engine::new(None).unwrap(),
        state: tempfile::tempdir().unwrap(),
    };
    let (reads, reimage) = (
        bench.load("fixtures/reads.wasm"),
        bench.load("reimage.wasm"),
    );
    let cycles = bench.load("fixtures/cycles.wasm");

    let line = "x".repeat(400);
    let raw = best(|| {
        let path = bench.state.path().join("raw");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        let began = Instant::now();
        for _ in 0..ONCES * 2 {
            file.write_all(line.as_bytes()).unwrap();
            file.sync_data().unwrap();
        }
        began.elapsed() / ONCES
    });
    let many = (ONCES + 1).to_string();
    let each = |off: &str| {
        let run = |times: &str| bench.run(&cycles, &[("cycles", times), ("off", off)]).0;
        let one = best(|| run("1"));
        best(|| run(&many)).saturating_sub(one) / ONCES
    };
    let (once, restart) = (each("true"), each("false"));
    println!("two raw flushes:                   {raw:?}");
    println!("a once call, journalled:           {once:?}");
    println!(
        "  ratio                            {:.2}",
        once.as_secs_f64() / raw.as_secs_f64()
    );
    println!("a restart, with its check:         {restart:?}");

    let many = READS.to_string();
    let read = best(|| bench.run(&reads, &[("reads", &many)]).0) / READS;
    println!("a read, journalled:                {read:?}");

    let log = Arc::new(MemoryLog::new());
    let mut request = RunRequest::new("host1001", "lab1");
    request.options = options(&reads, &[("reads", &REPLAYED.to_string())]);
    let services = bench.services(log.clone());
    let run = wreimage_engine::run(&bench.engine, &reads, request, services);
    bench.runtime.block_on(run).unwrap();
    let entries: Vec<Entry> = log
        .entries()
        .into_iter()
        .take_while(|entry| !matches!(entry.record, Record::GuestEnded(_)))
        .collect();
    let Some(Record::Header(header)) = entries.first().map(|it| it.record.clone()) else {
        panic!("no header")
    };
    let replay = best(|| replay(&bench, &reads, &header, entries.clone()));
    println!("{REPLAYED} calls replayed to the edge:    {replay:?}");

    let (_, report) = bench.run(&reimage, &[("os", "bullseye")]);
    let folder = bench.state.path().join("runs").join(&report.run);
    let size = std::fs::metadata(folder.join("journal.db")).unwrap().len();
    println!(
        "the journal of a reimage:          {size} bytes, {} calls, {} bytes a call",
        report.calls,
        size / report.calls
    );
}

fn replay(bench: &Bench, guest: &Guest, header: &Header, entries: Vec<Entry>) -> Duration {
    let services = bench.services(Arc::new(MemoryLog::new()));
    let request = RunRequest::resumed(header);
    let began = Instant::now();
    let resumed = wreimage_engine::resume(
        &bench.engine,
        guest,
        request,
        services,
        entries,
        Going::default(),
    );
    let report = bench.runtime.block_on(resumed).unwrap();
    assert!(
        report.ending.outcome.is_success(),
        "{}",
        report.ending.summary
    );
    began.elapsed()
}
