//! What the gate and an instance cost, in process. Run by `cargo bench --workspace --bench gate`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use criterion::{Criterion, Throughput};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;
use wreimage_engine::{Absent, Engine, GivenConsent, Guest, OptionValues, RunRequest, Services};
use wreimage_journal::RunDatabase;
use wreimage_lab::{Lab, Pace, World};

const READS: u64 = 10_000;

fn load(runtime: &Runtime, engine: &Engine, name: &str) -> Guest {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/guests")
        .join(name);
    let bytes =
        std::fs::read(&path).expect("build the guests first: cargo xtask guests --fixtures");
    runtime.block_on(Guest::load(engine, &bytes)).unwrap()
}

fn options(guest: &Guest, given: &[(&str, &str)]) -> OptionValues {
    let given = given
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    OptionValues::check(guest.description(), given, &Absent::new()).unwrap()
}

/// One run in a fresh lab, recorded in a file as every run is.
fn run(runtime: &Runtime, engine: &Engine, guest: &Guest, options: OptionValues, state: &Path) {
    let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
    let mut request = RunRequest::new("host1001", "lab1");
    request.options = options;
    // Runs within one second must not share a folder.
    request.run = format!(
        "{}-{:x}",
        request.run,
        std::time::Instant::now().elapsed().as_nanos()
    );
    let mut services = Services::new(lab.providers("host1001"));
    services.clock = lab.clock();
    services.consent = Arc::new(GivenConsent("host1001".to_owned()));
    let folder = tempfile::tempdir_in(state).unwrap();
    services.log = Arc::new(RunDatabase::create(folder.path(), &request.run).unwrap());
    let report = runtime
        .block_on(wreimage_engine::run(engine, guest, request, services))
        .unwrap();
    assert!(
        report.ending.outcome.is_success(),
        "{}",
        report.ending.summary
    );
}

fn main() {
    let runtime = Runtime::new().unwrap();
    let state = tempfile::tempdir().unwrap();
    let engine = Engine::new(None).unwrap();
    let reads = load(&runtime, &engine, "fixtures/reads.wasm");
    let reimage = load(&runtime, &engine, "reimage.wasm");
    let mut criterion = Criterion::default().configure_from_args();

    let mut group = criterion.benchmark_group("gate");
    group.throughput(Throughput::Elements(READS));
    let many = options(&reads, &[("reads", &READS.to_string())]);
    group.bench_function("10000 reads into a lab provider, recorded", |bench| {
        bench.iter(|| run(&runtime, &engine, &reads, many.clone(), state.path()));
    });
    group.finish();

    criterion.bench_function("instantiate and describe reimage.wasm", |bench| {
        bench.iter(|| runtime.block_on(reimage.describe(&engine)).unwrap());
    });

    let bullseye = options(&reimage, &[("os", "bullseye")]);
    criterion.bench_function("whole reimage in the lab, in process", |bench| {
        bench.iter(|| run(&runtime, &engine, &reimage, bullseye.clone(), state.path()));
    });
    // How much of it is the disk's.
    if let Ok(memory) = tempfile::tempdir_in("/dev/shm") {
        criterion.bench_function("the same, journal in memory", |bench| {
            bench.iter(|| run(&runtime, &engine, &reimage, bullseye.clone(), memory.path()));
        });
    }
    let mut raw = tempfile::tempfile_in(state.path()).unwrap();
    criterion.bench_function("1 KiB appended to a file, and fdatasync", |bench| {
        bench.iter(|| {
            raw.write_all(&[0; 1024]).unwrap();
            raw.sync_data().unwrap();
        });
    });
    criterion.final_summary();
}
