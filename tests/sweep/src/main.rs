//! Drives one reimage in a lab whose world is kept in a folder, and kills itself, with SIGKILL, where its arguments say so.
//!
//! `wreimage-sweep FOLDER MODE [WHERE] HOST [OPTION=VALUE…]`. FOLDER gets `world/`, `state/`, and with an undisturbed run
//! `performed.json`, the calls of providers in order.
//!
//! MODE is `run`, `resume` or `cleanup`; `rival` or `take-over`, another controller's run with a state folder of its own,
//! `rival/`; `pass`, time passes until every claim is stale; or the word of a change in the world, such as `protected`. That ends
//! with [`NO_DIFFERENCE`] where it makes none.
//!
//! WHERE is `before:N` or `after:N`, at the N-th record, `during:N` or `half:N`, in the N-th call of a provider, `full:N`, from
//! which record on the disk is full, or `cancel:N`, after which record the operator cancels.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod agreed;
mod death;

use agreed::{NO_DIFFERENCE, NO_RECORD, RUN};
use death::{Death, Killer, Mortal};
use jiff::{SignedDuration, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use wreimage_capability::lease::ControllerId;
use wreimage_capability::{BoxFuture, Fault, Providers};
use wreimage_engine::{
    Absent, Cancel, Engine, Given, GivenConsent, Going, Guest, LATER, Leasing, Operator,
    OptionValues, Report, RunRequest, Services,
};
use wreimage_journal::{Question, RunDatabase};
use wreimage_lab::{BUILTIN, Lab, Pace, World};
use wreimage_runs::lab_leasing;
use wreimage_scenario::{Change, Moment};

/// What is done.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Run,
    Resume,
    /// The run is ended.
    Cleanup,
    /// Another controller begins a run.
    Rival,
    /// The same, over the claim of the first.
    TakeOver,
}

impl Mode {
    fn is_of_rival(self) -> bool {
        matches!(self, Mode::Rival | Mode::TakeOver)
    }

    fn begins(self) -> bool {
        self == Mode::Run || self.is_of_rival()
    }
}

/// No operator answers; the run pauses at the question.
struct Later;

impl Operator for Later {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Given, Fault>> {
        Box::pin(async move { Err(Fault::denied(LATER, "sweep", &question.question)) })
    }
}

/// The built-in one, with a second kind of boot media.
fn world() -> World {
    let (one, two) = ("[\"installer\"]", "[\"installer\", \"rescue\"]");
    assert!(BUILTIN.contains(one));
    World::parse(&BUILTIN.replace(one, two)).unwrap()
}

/// The run of the other controller.
const RIVAL: &str = "20260105T080000-rival-00000001";

/// Every process of a run drives it from the same controller.
fn leasing(lab: &Lab, mode: Mode) -> Leasing {
    let number = if mode.is_of_rival() { 2 } else { 1 };
    let controller = ControllerId {
        name: format!("controller100{number}"),
        boot_id: format!("boot-of-controller-{number}"),
        lock_inode: number,
    };
    let mut leasing = lab_leasing(lab, controller, "sweep");
    if mode == Mode::TakeOver {
        leasing.take_over.push(RUN.to_owned());
    }
    leasing
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = PathBuf::from(&words[0]);
    let place = words.get(2).and_then(|word| Death::parse(word));
    let rest = &words[2 + usize::from(place.is_some())..];
    let (host, options) = rest.split_first().expect("a host");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mode = match words[1].as_str() {
        "run" => Mode::Run,
        "resume" => Mode::Resume,
        "cleanup" => Mode::Cleanup,
        "rival" => Mode::Rival,
        "take-over" => Mode::TakeOver,
        other => {
            let code = runtime.block_on(change(&folder, other, host));
            std::process::exit(code);
        }
    };
    let place = place.unwrap_or(Death::Never);
    let code = runtime.block_on(drive(&folder, mode, place, host, options));
    std::process::exit(code);
}

fn open(folder: &Path) -> Lab {
    Lab::kept(&folder.join("world"), world, Pace::Full).unwrap()
}

/// Something changes in the world while no process drives the run.
async fn change(folder: &Path, word: &str, host: &str) -> i32 {
    let lab = open(folder);
    if word == "pass" {
        let stale = lab.look(|world| world.lease_folder().ttl + 60_000);
        let clock = lab.clock();
        let until = clock
            .now()
            .saturating_add(SignedDuration::from_millis(stale.cast_signed()));
        clock.sleep_until(until.unwrap_or(Timestamp::MAX)).await;
    } else {
        let change: Change = word.parse().unwrap();
        let now = lab.look(|world| world.situation(host, None)).unwrap();
        if !change.fits(Moment::Dies, &now) {
            return NO_DIFFERENCE;
        }
        change.apply(&lab, host).await;
    }
    lab.write_down().unwrap();
    0
}

async fn drive(folder: &Path, mode: Mode, death: Death, host: &str, options: &[String]) -> i32 {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let engine = Engine::new(Some(&target.join("test-cache"))).unwrap();
    let bytes = std::fs::read(target.join("guests/reimage.wasm")).expect("cargo xtask guests");
    let guest = Guest::load(&engine, &bytes).await.unwrap();
    let lab = open(folder);
    let given = options.iter().map(|option| {
        let (name, value) = option.split_once('=').unwrap_or((option, "true"));
        (name, value.to_owned())
    });
    let task = given
        .clone()
        .find(|(name, _)| *name == "task")
        .map(|(_, value)| value);
    let all = lab.providers_for(host, task.as_deref());
    let (calls, performed) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::default()));
    let mut providers = Providers::new();
    for name in all.names() {
        let killer = Killer {
            inner: all.get(name).unwrap(),
            lab: lab.clone(),
            host: host.to_owned(),
            death,
            calls: Arc::clone(&calls),
            performed: Arc::clone(&performed),
        };
        providers.add((name, Arc::new(killer)));
    }
    let mut services = Services::new(providers);
    services.clock = lab.clock();
    services.consent = Arc::new(GivenConsent(host.to_owned()));
    services.operator = Arc::new(Later);
    services.resumable = true;
    services.cancel = Cancel::new();
    services.lease = Some(leasing(&lab, mode));
    let cancel = services.cancel.clone();
    let log = |inner| {
        Arc::new(Mortal {
            inner,
            death,
            cancel: cancel.clone(),
        })
    };
    let (state, run) = match mode.is_of_rival() {
        true => (folder.join("rival"), RIVAL),
        false => (folder.join("state"), RUN),
    };
    let report = if mode.begins() {
        let mut request = RunRequest::new(host, "lab1");
        request.run = run.to_owned();
        request.actor = "tester".to_owned();
        request.options = OptionValues::check(
            guest.description(),
            given.collect::<Vec<_>>(),
            &Absent::new(),
        )
        .unwrap();
        services.log = log(RunDatabase::create(&state, run).unwrap());
        wreimage_engine::run(&engine, &guest, request, services).await
    } else {
        let (journal, entries) = RunDatabase::resume(&state, run).unwrap();
        services.log = log(journal);
        let Ok(header) = wreimage_engine::resumable(&entries) else {
            // It died before its header, or after its last record.
            return if entries.is_empty() { NO_RECORD } else { 0 };
        };
        let request = RunRequest::resumed(header);
        let going = Going::default();
        if mode == Mode::Resume {
            wreimage_engine::resume(&engine, &guest, request, services, entries, going).await
        } else {
            let guest = Some(&guest);
            wreimage_engine::cleanup(&engine, guest, request, services, entries, going).await
        }
    };
    let report = report.unwrap();
    if death == Death::Never && mode == Mode::Run {
        let text = serde_json::to_string(&*performed.lock().unwrap()).unwrap();
        std::fs::write(folder.join("performed.json"), text).unwrap();
    }
    print(&report);
    wreimage_scenario::exit_code(&report.ending).into()
}

/// What a person reads at the end. The names of the steps go to the standard error: the tests look for words in what is printed,
/// and a name such as "Remove the PXE boot override" would have them whatever has happened.
fn print(report: &Report) {
    println!("{}: {}", report.ending.outcome, report.ending.summary);
    for left in &report.ending.left {
        println!("left: {left}");
    }
    for step in &report.steps {
        println!("step: {}", step.text);
        eprintln!("{}: {}: {}", step.phase, step.name, step.text);
    }
    for (_, text) in &report.notes {
        println!("note: {text}");
    }
}
