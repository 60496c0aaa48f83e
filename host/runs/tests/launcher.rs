//! A run begins, is resumed and is cleaned up on one path.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use wreimage_capability::{BoxFuture, Fault};
use wreimage_engine::{Consent, ConsentRequest, Engine, Given, GivenConsent, Guest, LATER, Nobody};
use wreimage_journal::{Entry, Locks, OnFailure, Question, Record, RunOutcome};
use wreimage_lab::{Pace, World};
use wreimage_runs::{
    ActiveRuns, Attendance, AttendedRun, Backend, Confirmed, Environment, Frontend, LaunchSettings,
    LaunchStage, Launcher, LoadedGuest, OpenedRun, Questions, RunSource, RunState, RunStore,
    RunsError, SiteChange, Turns, controller_name,
};

const HOST: &str = "host1001";

/// The stages of every launch.
const STAGES: [LaunchStage; 5] = [
    LaunchStage::Bound,
    LaunchStage::Requested,
    LaunchStage::Locked,
    LaunchStage::Recorded,
    LaunchStage::Driven,
];

/// The guests that `cargo xtask guests --fixtures` makes.
fn guest_file(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/guests")
        .join(name);
    assert!(path.is_file(), "run `cargo xtask guests --fixtures`");
    path
}

/// No operator is there: the run pauses when it asks for consent.
struct Later;

impl Consent for Later {
    fn in_advance(&self, _: &ConsentRequest, _: bool) -> Option<Result<(), String>> {
        None
    }

    fn ask<'a>(
        &'a self,
        _: &'a ConsentRequest,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Given, Fault>> {
        let why = question.question.clone();
        Box::pin(async move { Err(Fault::denied(LATER, "test", why)) })
    }
}

/// Notes what the launcher does, and gives consent when it is to.
#[derive(Default)]
struct Watcher {
    consents: bool,
    stages: Mutex<Vec<LaunchStage>>,
    steps: Mutex<Vec<String>>,
}

impl Frontend for Watcher {
    fn record(&self, from: &RunSource, entry: &Entry) {
        assert_eq!(&*from.host, HOST);
        if let Record::StepEnded { name, .. } = &entry.record {
            self.steps.lock().unwrap().push(name.clone());
        }
    }

    fn line(&self, text: &str) {
        panic!("{text}");
    }

    fn attend(self: Arc<Self>, run: AttendedRun) -> Attendance {
        assert!(run.resumable);
        let consent: Arc<dyn Consent> = match self.consents {
            true => Arc::new(GivenConsent(run.host)),
            false => Arc::new(Later),
        };
        Attendance {
            operator: Arc::new(Nobody),
            consent,
        }
    }

    fn confirm_site<'a>(&'a self, change: &'a SiteChange) -> BoxFuture<'a, Confirmed> {
        panic!("{change:?}");
    }

    fn stage(&self, stage: LaunchStage) {
        self.stages.lock().unwrap().push(stage);
    }
}

/// A state folder with a lab's world in it, and the guest.
struct Bench {
    folder: tempfile::TempDir,
    engine: Engine,
    guest: LoadedGuest,
}

impl Bench {
    async fn new() -> Bench {
        let engine = Engine::new(None).unwrap();
        let bytes = std::fs::read(guest_file("power-cycle-rust.wasm")).unwrap();
        let guest = Guest::load(&engine, &bytes).await.unwrap();
        Bench {
            folder: tempfile::tempdir().unwrap(),
            engine,
            guest: LoadedGuest { guest, bytes },
        }
    }

    fn store(&self) -> RunStore {
        RunStore::new(self.folder.path().join("state"))
    }

    /// A process that drives runs, and what it has noted.
    fn launcher(&self, consents: bool) -> (Launcher, Arc<Watcher>) {
        let watcher = Arc::new(Watcher {
            consents,
            ..Watcher::default()
        });
        let folder = self.folder.path().join("world");
        let name = folder.display().to_string();
        let world = World::builtin().unwrap();
        let launcher = Launcher::new(Environment {
            engine: self.engine.clone(),
            backend: Backend::kept_lab(world, &folder, name, Pace::Full).unwrap(),
            store: self.store(),
            actor: "somebody".to_owned(),
            controller: controller_name(),
            frontend: watcher.clone(),
            active: Arc::new(ActiveRuns::default()),
            turns: Arc::new(Turns::default()),
            is_batch: false,
        });
        (launcher, watcher)
    }

    /// Begins a run, which waits for consent.
    async fn paused(&self) -> String {
        let (launcher, watcher) = self.launcher(false);
        let settings = LaunchSettings {
            options: vec![("no-prompt".to_owned(), "true".to_owned())],
            on_failure: OnFailure::Undo,
            ..LaunchSettings::default()
        };
        let begun = launcher.begin(&self.guest, &settings, HOST, None).await;
        let report = begun.unwrap().report;
        assert_eq!(report.ending.outcome, RunOutcome::Paused, "{report:?}");
        assert_eq!(*watcher.stages.lock().unwrap(), STAGES);
        assert_eq!(self.locked(), [&*report.run]);
        let standing = self.store().standing(&report.run).unwrap();
        assert_eq!(standing.state, RunState::Paused);
        report.run
    }

    /// The runs that hold a lock.
    fn locked(&self) -> Vec<String> {
        let held = Locks::open(self.store().state()).unwrap().held().unwrap();
        held.into_iter().map(|it| it.run).collect()
    }
}

#[tokio::test]
async fn begin_resume_and_cleanup_share_one_path() {
    let bench = Bench::new().await;

    // Another run cannot begin while this one is half-way.
    let run = bench.paused().await;
    let (launcher, watcher) = bench.launcher(true);
    let settings = LaunchSettings::default();
    let rival = launcher.begin(&bench.guest, &settings, HOST, None).await;
    assert!(
        matches!(&rival, Err(RunsError::Locked { held, .. }) if held.run == run),
        "{:?}",
        rival.err()
    );
    assert_eq!(*watcher.stages.lock().unwrap(), STAGES.split_at(2).0);
    drop(launcher);

    let (launcher, watcher) = bench.launcher(true);
    let opened = OpenedRun::to_resume(&bench.store(), &run).unwrap();
    let resumed = launcher.resume(&bench.guest, opened, Questions::default());
    let report = resumed.await.unwrap().report;
    assert_eq!(report.ending.outcome, RunOutcome::Success, "{report:?}");
    assert_eq!(*watcher.stages.lock().unwrap(), STAGES);
    assert!(!watcher.steps.lock().unwrap().is_empty());
    assert!(bench.locked().is_empty());
    drop(launcher);

    let run = bench.paused().await;
    let (launcher, watcher) = bench.launcher(true);
    let opened = OpenedRun::to_end(&bench.store(), &run).unwrap();
    let ended = launcher.cleanup(None, opened).await;
    let report = ended.unwrap().report;
    assert_eq!(report.ending.outcome, RunOutcome::Cancelled, "{report:?}");
    assert_eq!(*watcher.stages.lock().unwrap(), STAGES);
    assert!(bench.locked().is_empty());
    let over = OpenedRun::to_end(&bench.store(), &run);
    assert!(matches!(over.err(), Some(RunsError::Resume(_))));
}

/// Whatever is added to the launcher: what drives a run is called in one place, for all three.
#[test]
fn a_run_is_driven_in_one_place() {
    let source = include_str!("../src/launcher.rs");
    for (called, times) in [("drive(environment", 1), ("self.launch(", 3), (".bind(", 1)] {
        assert_eq!(source.matches(called).count(), times, "{called}");
    }
}

#[test]
fn the_example_runs_a_guest_without_the_command_line() {
    let state = tempfile::tempdir().unwrap();
    // Cargo builds examples with the tests, beside them.
    let test = std::env::current_exe().unwrap();
    let example = test
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("examples/run_guest");
    let done = Command::new(&example)
        .arg(guest_file("power-cycle-rust.wasm"))
        .args([HOST, &state.path().display().to_string()])
        .arg("no-prompt=true")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{out}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        out.contains("host1001: check: Read the boot id: success"),
        "{out}"
    );
    assert!(
        out.lines().last().unwrap().starts_with("success: "),
        "{out}"
    );
    let runs = RunStore::new(state.path()).list().unwrap();
    assert_eq!(runs.len(), 1);
}
