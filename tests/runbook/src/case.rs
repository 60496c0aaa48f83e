//! What is run, where, and with which answers.

use crate::done::Done;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::runtime::Runtime;
use toml::Table;
use wreimage_capability::{BoxFuture, Fault, Providers};
use wreimage_engine::{
    Absent, Engine, Given, GivenConsent, Guest, Operator, OptionValues, RunRequest, Services,
};
use wreimage_journal::{MemoryLog, Question};
use wreimage_lab::{BUILTIN, Lab, Pace, World};
use wreimage_runs::LabTwin;

/// The engine and the guest, loaded once for all tests of a program.
struct Loaded {
    runtime: Runtime,
    engine: Engine,
    guest: Guest,
}

fn loaded() -> &'static Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    LOADED.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/reimage.wasm");
        let bytes = std::fs::read(path).expect("build the guests first: cargo xtask guests");
        let runtime = Runtime::new().unwrap();
        let engine = Engine::new(None).unwrap();
        let guest = runtime.block_on(Guest::load(&engine, &bytes)).unwrap();
        Loaded {
            runtime,
            engine,
            guest,
        }
    })
}

/// The built-in world with these tables laid over it.
pub fn world(changes: &str) -> World {
    let mut table: Table = BUILTIN.parse().unwrap();
    merge(&mut table, changes.parse().unwrap());
    World::parse(&table.to_string()).unwrap()
}

fn merge(onto: &mut Table, changes: Table) {
    for (key, value) in changes {
        match (onto.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => merge(under, over),
            (_, value) => {
                onto.insert(key, value);
            }
        }
    }
}

/// What the operator answers, in order; nobody is there when it is empty from the beginning.
#[derive(Debug, Default)]
pub struct Answers(Mutex<VecDeque<String>>, bool);

impl Answers {
    fn new(answers: &[&str]) -> Self {
        let queue = answers.iter().map(|answer| (*answer).to_owned()).collect();
        Answers(Mutex::new(queue), !answers.is_empty())
    }
}

impl Operator for Answers {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Given, Fault>> {
        Box::pin(async move {
            let next = self.0.lock().unwrap().pop_front();
            match next {
                Some(choice) => Ok(Given {
                    choice,
                    by: "the test".to_owned(),
                }),
                None if self.1 => panic!("one question too many: {question:?}"),
                None => wreimage_engine::Nobody.ask(question).await,
            }
        })
    }
}

/// A run to be made.
#[derive(Debug, Clone)]
pub struct Case {
    host: String,
    options: Vec<(&'static str, String)>,
    changes: String,
    answers: Vec<&'static str>,
    absent: Absent,
    dry_run: bool,
    actor: String,
}

impl Case {
    /// `--os bullseye` for this host, in the built-in world.
    pub fn of(host: &str) -> Self {
        Case {
            host: host.to_owned(),
            options: vec![("os", "bullseye".to_owned())],
            changes: String::new(),
            answers: Vec::new(),
            absent: Absent::new(),
            dry_run: false,
            actor: "tester".to_owned(),
        }
    }

    /// With an option of the guest.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.options.retain(|(given, _)| *given != name);
        self.options.push((name, value.to_owned()));
        self
    }

    /// With a toggle of the guest.
    pub fn and(self, toggle: &'static str) -> Self {
        self.with(toggle, "true")
    }

    /// In a world with these tables laid over the built-in one.
    pub fn in_world(mut self, changes: &str) -> Self {
        self.changes.push_str(changes);
        self.changes.push('\n');
        self
    }

    /// In a world where this is so of the host: `part` is a table of the machine, such as `puppet`.
    pub fn whose(self, part: &str, change: &str) -> Self {
        let host = self.host.clone();
        self.in_world(&format!("[machine.{host}.{part}]\n{change}"))
    }

    /// With an operator who answers so.
    pub fn answered(mut self, answers: &[&'static str]) -> Self {
        self.answers = answers.to_vec();
        self
    }

    /// At a site without these capabilities.
    pub fn without(mut self, capabilities: &[&str]) -> Self {
        self.absent = capabilities.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Started by somebody else.
    pub fn by(mut self, actor: &str) -> Self {
        self.actor = actor.to_owned();
        self
    }

    /// As a rehearsal.
    pub fn rehearsed(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// A lab with the world of this case.
    pub fn lab(&self) -> Lab {
        Lab::new(world(&self.changes), Pace::Full)
    }

    /// Runs it in a lab of its own.
    pub fn run(&self) -> Done {
        self.run_in(&self.lab())
    }

    /// Each run in a lab has its own, which tells whose downtime is whose. It follows from the lab alone: nothing has
    /// happened there before the first run, and the later ones begin at different times.
    fn run_id(&self, lab: &Lab) -> String {
        lab.look(|world| {
            let first = format!("run-of-{}", self.host);
            match world.history().next() {
                None => first,
                Some(_) => format!("{first}-at-{}", world.now().strftime("%H%M%S")),
            }
        })
    }

    /// Runs it in this lab, as it is by now.
    pub fn run_in(&self, lab: &Lab) -> Done {
        let Loaded {
            runtime,
            engine,
            guest,
        } = loaded();
        let given = self
            .options
            .iter()
            .map(|(name, value)| (*name, value.clone()));
        let task = self.options.iter().find(|(name, _)| *name == "task");
        let task = task.map(|(_, value)| value.clone());
        let site = lab.look(|world| world.site().to_owned());
        let mut request = RunRequest::new(&self.host, &site);
        request.options = OptionValues::check(guest.description(), given, &self.absent)
            .unwrap_or_else(|error| panic!("{error}"));
        request.run = self.run_id(lab);
        request.actor = self.actor.clone();
        request.controller = "controller1001".to_owned();
        request.dry_run = self.dry_run;
        request.absent = self.absent.clone();
        let all = lab.providers_for(&self.host, task.as_deref());
        let mut providers = Providers::new();
        for name in all.names().filter(|name| !self.absent.contains(*name)) {
            providers.add((name, all.get(name).unwrap()));
        }
        let log = Arc::new(MemoryLog::new());
        let mut services = Services::new(providers);
        services.clock = lab.clock();
        services.log = log.clone();
        services.operator = Arc::new(Answers::new(&self.answers));
        services.consent = Arc::new(GivenConsent(self.host.clone()));
        services.twin = Some(LabTwin::maker(&site, task.as_deref(), &self.absent));
        let report = runtime
            .block_on(wreimage_engine::run(engine, guest, request, services))
            .unwrap();
        Done {
            entries: log.entries(),
            report,
            lab: lab.clone(),
            host: self.host.clone(),
            task,
        }
    }
}

/// Runs a future on the runtime that the runs are made on.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    loaded().runtime.block_on(future)
}
