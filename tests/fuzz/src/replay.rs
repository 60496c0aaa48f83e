//! The records of a journal, as a process reads them that resumes a run or ends it.

use crate::text;
use std::sync::{Arc, OnceLock};
use tokio::runtime::Runtime;
use wreimage_engine::{
    Engine, GivenConsent, Going, RunRequest, Services, cleanup, effects_digest, endable,
};
use wreimage_journal::{Entry, Header, Record};
use wreimage_lab::{Lab, Pace, World};

/// A journal with more records is not tried: each of them is handled by itself.
const MOST: usize = 64;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(None).expect("an engine"))
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    })
}

/// One record a line. The run is printed, and ended in the lab: what is open is undone. Whatever the records say, the run ends with a
/// report or a reason.
pub fn replay(data: &[u8]) {
    let text = text(data);
    let mut entries: Vec<Entry> = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok())
        .take(MOST)
        .collect();
    // The database gives each record its place.
    for (number, entry) in (1..).zip(&mut entries) {
        entry.number = number;
    }
    wreimage_scenario::told::run(&entries);
    if let Some(Record::Header(header)) = entries.first_mut().map(|it| &mut it.record) {
        // The journal of another version would be refused at once.
        header.effects = effects_digest();
    }
    let header = match endable(&entries) {
        Ok(header) => header.clone(),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    runtime().block_on(end(&header, entries));
}

async fn end(header: &Header, entries: Vec<Entry>) {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(|| World::builtin().expect("the world that is built in"));
    let lab = Lab::new(world.clone(), Pace::Full);
    let request = RunRequest::resumed(header);
    let services = Services {
        clock: lab.clock(),
        consent: Arc::new(GivenConsent(header.host.clone())),
        resumable: true,
        ..Services::new(lab.providers(&header.host))
    };
    match cleanup(engine(), None, request, services, entries, Going::default()).await {
        Ok(report) => assert!(!report.ending.summary.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
