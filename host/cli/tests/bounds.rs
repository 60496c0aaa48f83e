//! Guests that call without a pause, and guests that pass too much to the host.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::kept::signal;
use common::{User, fixture, guests};
use nix::sys::signal::Signal;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_engine::{Absent, Engine, Guest, OptionValues, RunRequest, Services};
use wreimage_journal::Record;
use wreimage_lab::{Lab, Pace, World};

fn start(user: &User, words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", user.home.path())
        .env_remove("XDG_STATE_HOME")
        .env("XDG_CACHE_HOME", guests().join("../test-cache"))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until a process has ended, but not for ever; its code and what it has printed.
fn end(mut child: Child, within: Duration) -> (Option<i32>, String) {
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > within {
            child.kill().unwrap();
            panic!("it did not end within {} s", within.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    (status.code(), said)
}

#[test]
fn guests_that_only_make_calls_that_never_block_are_cancelled() {
    let spins = fixture("spins");
    for (by, stop) in [("log", Signal::SIGINT), ("clock", Signal::SIGTERM)] {
        let user = User::new();
        let hosts = "host[1001-1003]";
        let words = [
            "run", &spins, "--lab", "--host", hosts, "--by", by, "--output", "json",
        ];
        let child = start(&user, &words);
        // Until all of them are at it.
        let begun = Instant::now();
        while user.runs().len() < 3 && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(200));
        signal(&child, stop);
        // The grace is 10 s; what is written in it must still be synced.
        let (code, said) = end(child, Duration::from_secs(20));
        assert_eq!(code, Some(30), "{by}: {said}");
        for run in user.runs() {
            let last = user.records(&run).pop().unwrap();
            let last = serde_json::to_value(last).unwrap();
            assert_eq!(last["outcome"], "cancelled", "{by}: {last}");
        }
    }
}

#[test]
fn closing_words_that_do_not_end_are_given_up_after_the_first_cancel() {
    let user = User::new();
    let spins = fixture("spins");
    let words = [
        "run", &spins, "--lab", "--host", "host1001", "--by", "sleep", "--late", "--speed", "1",
        "--output", "json",
    ];
    let child = start(&user, &words);
    let has_returned = || {
        let runs = user.runs();
        // The folder is there before its journal.
        let begun = runs.first().filter(|run| run.join("journal.db").exists());
        let records = begun.map(|run| user.records(run));
        let mut records = records.unwrap_or_default().into_iter();
        records.any(|entry| matches!(entry.record, Record::GuestEnded(_)))
    };
    let begun = Instant::now();
    while !has_returned() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it does not return"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(&child, Signal::SIGINT);
    // Without the cancel they would have 120 s.
    let (code, said) = end(child, Duration::from_secs(20));
    assert_eq!(code, Some(0), "{said}");
    let run = user.runs().pop().unwrap();
    let warned = user.records(&run).into_iter().any(|entry| {
        matches!(entry.record, Record::Note { text, .. } if text.contains("cancelled and did not end within 10 s"))
    });
    assert!(warned, "{said}");
}

#[test]
fn a_guest_that_spins_leaves_the_thread_to_other_runs() {
    // One thread for both: without stepping aside, the first would have it to itself.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let engine = Engine::new(None).unwrap();
    let load = |name: &str| {
        let bytes = std::fs::read(guests().join(name)).unwrap();
        runtime.block_on(Guest::load(&engine, &bytes)).unwrap()
    };
    let (spins, reads) = (load("fixtures/spins.wasm"), load("bmc-check.wasm"));
    let begin = |guest: &Guest, given: &[(&str, &str)]| {
        let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
        let mut services = Services::new(lab.providers("host1001"));
        services.clock = lab.clock();
        let given = given
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let mut request = RunRequest::new("host1001", "lab1");
        request.options = OptionValues::check(guest.description(), given, &Absent::new()).unwrap();
        request.limits.records = 20_000;
        (request, services)
    };
    for by in ["log", "clock", "note", "follow-up"] {
        let (request, services) = begin(&spins, &[("by", by)]);
        let (other_request, other_services) = begin(&reads, &[]);
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        runtime.block_on(async {
            let spinning = async {
                let report = wreimage_engine::run(&engine, &spins, request, services).await;
                order.lock().unwrap().push("spins");
                report.unwrap()
            };
            let reading = async {
                // Begun second, so the other has the thread already.
                tokio::task::yield_now().await;
                let report =
                    wreimage_engine::run(&engine, &reads, other_request, other_services).await;
                order.lock().unwrap().push("reads");
                report.unwrap()
            };
            let (spun, read) = tokio::join!(spinning, reading);
            assert!(
                spun.ending.summary.contains("`limits.records`"),
                "{by}: {}",
                spun.ending.summary
            );
            assert!(
                read.ending.outcome.is_success(),
                "{by}: {}",
                read.ending.summary
            );
        });
        assert_eq!(*order.lock().unwrap(), ["reads", "spins"], "{by}");
    }
}

#[test]
fn a_guest_that_exceeds_a_bound_is_ended_and_the_key_is_named() {
    let user = User::new();
    let exceeds = fixture("exceeds");
    for (bound, key) in [
        ("text", "limits.text"),
        ("list", "limits.list"),
        ("call", "limits.call"),
        ("outcome", "limits.text"),
        ("fault", "limits.text"),
        ("journal", "limits.journal"),
    ] {
        let done = user.wreimage(&[
            "run", &exceeds, "--lab", "--host", "host1001", "--bound", bound,
        ]);
        let words = format!("raise `{key}` in the site file");
        let done = done.ends_with(40, &["the guest died: ", &words]);
        // What is within the bounds is shown.
        assert!(bound == "journal" || done.said().len() < 10_000, "{bound}");
    }
    user.wreimage(&["run", &exceeds, "--lab", "--host", "host1001"])
        .ends_with(0, &["Nothing was exceeded"]);
}

#[test]
fn a_site_sets_the_bounds() {
    let user = User::new();
    user.file("hosts", "127.0.0.1 host1001.x.test\n");
    let site = user.file(
        "site.toml",
        "name = \"x\"\ndomain = \"x.test\"\n[dns]\nprovider = \"hosts\"\nhosts = \"hosts\"\n[[grants]]\n\
         guest = \"spins\"\nhosts = [\"*\"]\ncapabilities = [\"run\", \"clock\"]\n\
         [[grants]]\nguest = \"exceeds\"\nhosts = [\"*\"]\ncapabilities = [\"run\", \"clock\"]\n\
         [limits]\nrecords = 100\ntext = \"2GiB\"\n",
    );
    let run = |guest: &str, more: &[&str]| {
        let guest = fixture(guest);
        let words = ["run", &guest, "--site", &site, "--host", "host1001"];
        user.wreimage(&[&words[..], more].concat())
    };
    run("spins", &["--by", "clock"]).ends_with(40, &["has 100 records", "`limits.records`"]);
    run("exceeds", &["--bound", "text"]).ends_with(0, &["Nothing was exceeded"]);
}

/// `VmHWM` of proc(5) in kB, while the process is there.
fn peak(child: &Child) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn what_a_guest_passes_does_not_fill_the_memory_of_the_host() {
    let user = User::new();
    let exceeds = fixture("exceeds");
    // The guest itself takes 200 MB in one case; the host must not take a copy.
    for (bound, most) in [("call", 350_000), ("journal", 300_000)] {
        let words = [
            "run", &exceeds, "--lab", "--host", "host1001", "--bound", bound, "--output", "json",
        ];
        let mut child = start(&user, &words);
        let mut highest = 0;
        while child.try_wait().unwrap().is_none() {
            highest = peak(&child).unwrap_or(0).max(highest);
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!((10_000..most).contains(&highest), "{bound}: {highest} kB");
    }
}
