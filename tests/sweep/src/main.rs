//! Drives one reimage in a lab whose world is kept in a folder, and kills itself, with SIGKILL, where it is told to.
//!
//! `wreimage-sweep FOLDER run|resume|cleanup [before:N|after:N|during:N] HOST [OPTION=VALUE…]`: before or after the N-th record is
//! written, or in the middle of the N-th call of a provider. FOLDER gets `world/`, `state/`, and with an undisturbed run
//! `performed.json`, the calls of providers in order.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::{Value, json};
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use wreimage_capability::lease::ControllerId;
use wreimage_capability::{
    Answer, BoxFuture, Call, Dispatch, Fault, Function, Providers, Reconciled,
};
use wreimage_engine::{
    Absent, Engine, Given, GivenConsent, Going, Guest, LATER, Leasing, Operator, OptionValues,
    RunRequest, Services,
};
use wreimage_journal::{Entry, Log, LogError, Question, RunDatabase};
use wreimage_lab::{BUILTIN, Lab, Pace, World};

/// Where it dies.
#[derive(Clone, Copy, PartialEq)]
enum Death {
    Never,
    Before(u64),
    After(u64),
    During(u64),
    /// It does not die: from this record on the disk is full.
    Full(u64),
}

impl Death {
    fn parse(word: &str) -> Option<Death> {
        let (when, number) = word.split_once(':')?;
        let number = number.parse().ok()?;
        match when {
            "before" => Some(Death::Before(number)),
            "after" => Some(Death::After(number)),
            "during" => Some(Death::During(number)),
            "full" => Some(Death::Full(number)),
            _ => None,
        }
    }

    fn at(self, here: Death) {
        if self == here {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
            // The signal is on its way; nothing more may be done.
            loop {
                std::thread::park();
            }
        }
    }
}

/// What is done with the run.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Run,
    Resume,
    /// It is ended.
    Cleanup,
}

/// The journal, with a death at one of its records.
struct Mortal {
    inner: RunDatabase,
    death: Death,
}

impl Log for Mortal {
    fn append(&self, entry: &Entry, durable: bool) -> Result<(), LogError> {
        self.death.at(Death::Before(entry.number));
        if let Death::Full(first) = self.death
            && entry.number >= first
        {
            return Err(LogError {
                path: self.inner.path().to_owned(),
                source: std::io::Error::from(std::io::ErrorKind::StorageFull),
            });
        }
        self.inner.append(entry, durable)?;
        self.death.at(Death::After(entry.number));
        Ok(())
    }

    fn mark(&self) -> wreimage_capability::lease::JournalMark {
        self.inner.mark()
    }

    fn keep(&self, bytes: &[u8]) -> Result<String, LogError> {
        self.inner.keep(bytes)
    }
}

/// A provider, with a death in the middle of one of its calls.
struct Killer {
    inner: Arc<dyn Dispatch>,
    death: Death,
    calls: Arc<AtomicU64>,
    performed: Arc<Mutex<Vec<Value>>>,
}

impl Dispatch for Killer {
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            self.performed
                .lock()
                .unwrap()
                .push(json!([function.to_string(), call.sequence]));
            let mut work = self.inner.perform(call, function, arguments);
            let mut first = None;
            poll_fn(|context| {
                if let Poll::Ready(answer) = work.as_mut().poll(context) {
                    first = Some(answer);
                }
                Poll::Ready(())
            })
            .await;
            // What takes no time has had its effect by now, and has told nobody.
            self.death.at(Death::During(number));
            match first {
                Some(answer) => answer,
                None => work.await,
            }
        })
    }

    fn witness<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>> {
        self.inner.witness(call, function, arguments)
    }

    fn reconcile<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
        witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>> {
        self.inner.reconcile(call, function, arguments, witness)
    }
}

/// Nobody answers; the question is printed.
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

/// Every process of a case drives the run from the same controller.
fn leasing(lab: &Lab) -> Leasing {
    let lease = lab.lease();
    let tokens = lease.clone();
    Leasing {
        renewal: lease.clone(),
        uptime: lease.clone(),
        lease,
        token: Arc::new(move || tokens.new_token()),
        controller: ControllerId {
            name: "controller1001".to_owned(),
            boot_id: "boot-of-the-controller".to_owned(),
            lock_inode: 1,
        },
        actor: "sweep".to_owned(),
        uid: 0,
        take_over: Vec::new(),
    }
}

const RUN: &str = "20260105T080000-sweep-00000001";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folder = PathBuf::from(&words[0]);
    let mode = match words[1].as_str() {
        "run" => Mode::Run,
        "resume" => Mode::Resume,
        "cleanup" => Mode::Cleanup,
        other => panic!("no mode: {other}"),
    };
    let death = words.get(2).and_then(|word| Death::parse(word));
    let rest = &words[2 + usize::from(death.is_some())..];
    let (host, options) = rest.split_first().expect("a host");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let code = runtime.block_on(drive(
        &folder,
        mode,
        death.unwrap_or(Death::Never),
        host,
        options,
    ));
    std::process::exit(code.into());
}

async fn drive(folder: &Path, mode: Mode, death: Death, host: &str, options: &[String]) -> u8 {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let engine = Engine::new(Some(&target.join("test-cache"))).unwrap();
    let bytes = std::fs::read(target.join("guests/reimage.wasm")).expect("cargo xtask guests");
    let guest = Guest::load(&engine, &bytes).await.unwrap();
    let lab = Lab::kept(&folder.join("world"), world, Pace::Full).unwrap();
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
    services.lease = Some(leasing(&lab));
    let state = folder.join("state");
    let report = if mode != Mode::Run {
        let (journal, entries) = RunDatabase::resume(&state, RUN).unwrap();
        services.log = Arc::new(Mortal {
            inner: journal,
            death,
        });
        let Ok(header) = wreimage_engine::resumable(&entries) else {
            // It died before its header, or after its last record.
            return if entries.is_empty() { 3 } else { 0 };
        };
        let request = RunRequest::resumed(header);
        let going = Going::default();
        if mode == Mode::Resume {
            wreimage_engine::resume(&engine, &guest, request, services, entries, going).await
        } else {
            let guest = Some(&guest);
            wreimage_engine::cleanup(&engine, guest, request, services, entries, going).await
        }
    } else {
        let mut request = RunRequest::new(host, "lab1");
        request.run = RUN.to_owned();
        request.actor = "tester".to_owned();
        request.options = OptionValues::check(
            guest.description(),
            given.collect::<Vec<_>>(),
            &Absent::new(),
        )
        .unwrap();
        let journal = RunDatabase::create(&state, RUN).unwrap();
        services.log = Arc::new(Mortal {
            inner: journal,
            death,
        });
        wreimage_engine::run(&engine, &guest, request, services).await
    };
    let report = report.unwrap();
    if death == Death::Never && mode == Mode::Run {
        let text = serde_json::to_string(&*performed.lock().unwrap()).unwrap();
        std::fs::write(folder.join("performed.json"), text).unwrap();
    }
    println!("{}: {}", report.ending.outcome, report.ending.summary);
    for left in &report.ending.left {
        println!("left: {left}");
    }
    report.ending.exit_code
}
