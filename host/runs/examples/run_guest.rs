//! Runs a guest in the lab without the command line: `run_guest GUEST.wasm HOST STATE [NAME=VALUE]...`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use wreimage_engine::{Engine, GivenConsent, Guest, Nobody};
use wreimage_journal::{Entry, Record};
use wreimage_lab::{Pace, World};
use wreimage_runs::{
    ActiveRuns, Attendance, AttendedRun, Backend, Environment, Frontend, LaunchSettings, Launcher,
    LoadedGuest, RunSource, RunStore, controller_name,
};

/// Prints the steps as they end. Consent is given in advance, and no operator answers questions.
struct Printer;

impl Frontend for Printer {
    fn record(&self, from: &RunSource, entry: &Entry) {
        if let Record::StepEnded {
            phase, name, level, ..
        } = &entry.record
        {
            println!("{}: {phase}: {name}: {}", from.host, level.word());
        }
    }

    fn line(&self, text: &str) {
        println!("{text}");
    }

    fn attend(self: Arc<Self>, run: AttendedRun) -> Attendance {
        Attendance {
            operator: Arc::new(Nobody),
            consent: Arc::new(GivenConsent(run.host)),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, host, state, options @ ..] = arguments.as_slice() else {
        return Err("usage: run_guest GUEST.wasm HOST STATE [NAME=VALUE]...".into());
    };
    let options = options.iter().filter_map(|it| it.split_once('='));
    let settings = LaunchSettings {
        options: options
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        ..LaunchSettings::default()
    };
    let engine = Engine::new(None)?;
    let bytes = std::fs::read(path)?;
    let guest = Guest::load(&engine, &bytes).await?;
    let launcher = Launcher::new(Environment {
        engine,
        backend: Backend::lab(World::builtin()?, Pace::Full),
        store: RunStore::new(state),
        actor: "example".into(),
        controller: controller_name(),
        frontend: Arc::new(Printer),
        active: Arc::new(ActiveRuns::default()),
        turns: Arc::default(),
        is_batch: false,
    });
    let guest = LoadedGuest { guest, bytes };
    let result = launcher.begin(&guest, &settings, host, None).await?;
    let ending = &result.report.ending;
    println!("{}: {}", ending.outcome, ending.summary);
    Ok(())
}
