//! Runs that are stopped from outside, and surroundings that go away.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{User, guests};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wreimage_engine::{Absent, Engine, Guest, OptionValues, RunRequest, Services};
use wreimage_lab::{Lab, Pace, World};

/// A reimage in the lab that takes some seconds.
fn slow_reimage(user: &User) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wreimage"));
    command
        .env("HOME", user.home.path())
        .env_remove("XDG_STATE_HOME")
        .args(["run"])
        .arg(guests().join("reimage.wasm"))
        .args([
            "--lab", "--host", "host1001", "--os", "bullseye", "--yes", "host1001",
        ])
        .args(["--output", "json", "--speed", "40"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Reads events until one fits.
fn until(lines: &mut impl BufRead, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut events = Vec::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        let event: Value = serde_json::from_str(&line).unwrap();
        line.clear();
        let found = wanted(&event);
        events.push(event);
        if found {
            return events;
        }
    }
    panic!("the run ended before: {events:#?}");
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

#[test]
fn a_cancelled_run_is_taken_back_and_told() {
    for stop in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let user = User::new();
        let mut child = slow_reimage(&user).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut events = until(&mut out, |event| {
            event["event"] == "progress" && event["text"].to_string().contains("POST")
        });
        let begin = Instant::now();
        signal(&child, stop);
        events.extend(until(&mut out, |event| event["event"] == "finished"));
        assert_eq!(child.wait().unwrap().code(), Some(30), "{stop}");
        assert!(
            begin.elapsed() < Duration::from_secs(9),
            "{stop}: it did not stop at once"
        );
        let last = events.last().unwrap();
        assert_eq!(last["outcome"], "cancelled", "{last}");
        for inverse in ["dhcp.withdraw", "ipmi.clear-boot-device"] {
            let done = events.iter().any(|event| {
                event["event"] == "undo-closed"
                    && event["inverse"] == inverse
                    && event["state"] == "done"
            });
            assert!(done, "{stop}: {inverse} was not taken back: {events:#?}");
        }
        assert!(events.iter().any(|event| event["event"] == "signal"));
    }
}

#[test]
fn a_second_signal_stops_at_once_and_says_that_something_may_be_left() {
    let user = User::new();
    let mut child = slow_reimage(&user).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    until(&mut out, |event| event["event"] == "intent");
    signal(&child, Signal::SIGINT);
    // Both may arrive while the first is being handled; either way the process ends.
    std::thread::sleep(Duration::from_millis(20));
    signal(&child, Signal::SIGINT);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let code = child.wait().unwrap().code();
    assert!([Some(21), Some(30)].contains(&code), "{code:?}: {rest}");
}

#[test]
fn readers_that_go_away_do_not_stop_a_run() {
    let user = User::new();
    for output in ["json", "text"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wreimage"));
        let mut child = command
            .env("HOME", user.home.path())
            .arg("run")
            .arg(guests().join("reimage.wasm"))
            .args([
                "--lab", "--host", "host1001", "--os", "bullseye", "--yes", "host1001", "--output",
                output,
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{output}");
    }
    let newest = user.runs().pop().unwrap();
    let entries = user.records(&newest);
    let last = serde_json::to_value(entries.last().unwrap()).unwrap();
    assert_eq!(last["outcome"], "success");
}

fn load(engine: &Engine, runtime: &tokio::runtime::Runtime, name: &str) -> Guest {
    let bytes = std::fs::read(guests().join(name)).unwrap();
    runtime.block_on(Guest::load(engine, &bytes)).unwrap()
}

#[test]
fn a_guest_that_loops_lets_other_runs_go_on() {
    // One thread for both: without stepping aside, the loop would have it to itself.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let engine = Engine::new(None).unwrap();
    let (loops, reads) = (
        load(&engine, &runtime, "fixtures/loops.wasm"),
        load(&engine, &runtime, "bmc-check.wasm"),
    );
    let start = |guest: &Guest| {
        let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
        let mut services = Services::new(lab.providers("host1001"));
        services.clock = lab.clock();
        let mut request = RunRequest::new("host1001", "lab1");
        request.options = OptionValues::check(guest.description(), [], &Absent::new()).unwrap();
        (request, services)
    };
    let (request, services) = start(&loops);
    let (other_request, other_services) = start(&reads);
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    runtime.block_on(async {
        let looping = async {
            let report = wreimage_engine::run(&engine, &loops, request, services)
                .await
                .unwrap();
            order.lock().unwrap().push("loops");
            report
        };
        let reading = async {
            // Begun second, so the loop has the thread already.
            tokio::task::yield_now().await;
            let report = wreimage_engine::run(&engine, &reads, other_request, other_services)
                .await
                .unwrap();
            order.lock().unwrap().push("reads");
            report
        };
        let (looped, read) = tokio::join!(looping, reading);
        assert!(
            looped.ending.summary.contains("loops"),
            "{}",
            looped.ending.summary
        );
        assert!(read.ending.outcome.is_success(), "{}", read.ending.summary);
    });
    assert_eq!(*order.lock().unwrap(), ["reads", "loops"]);
}

#[test]
fn every_capability_is_answered_by_the_lab_or_by_the_engine() {
    let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
    let providers = lab.providers("host1001");
    for capability in wreimage_capability::ALL {
        let served = providers.has(capability.name);
        let by_engine = capability.server == wreimage_capability::Server::Engine;
        assert!(served != by_engine, "{}", capability.name);
    }
}

#[test]
fn compiled_guests_are_kept() {
    let user = User::new();
    let cache = user.home.path().join("cache");
    let variables = [("XDG_CACHE_HOME", cache.to_str().unwrap())];
    user.with(&["inspect", "bmc-check"], &variables)
        .ends_with(0, &[]);
    let kept = |folder: &std::path::Path| {
        let mut count = 0;
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path)
                } else {
                    count += 1
                }
            }
        }
        count
    };
    assert!(kept(&cache) > 0, "nothing is in the cache");
}

/// A run that is paused in the middle of a call is not resumed with the claim that the call was never made.
#[test]
fn a_call_that_was_under_way_is_said_to_have_been_made() {
    use common::kept::{begin_with, resume, until as until_in_world};
    let user = User::new();
    let (mut child, mut out) = begin_with(&user, "host1001", &["--speed", "400"]);
    let run = until_in_world(&mut out, |event| {
        event["event"] == "intent" && event["function"] == "puppet.first-run"
    });
    signal(&child, Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(100));
    signal(&child, Signal::SIGINT);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(50), "{rest}");
    let done = resume(&user, &run, &[]).ends_with(
        30,
        &[
            "puppet.first-run was called at ",
            "may still be under way",
            "check host1001",
        ],
    );
    assert!(
        !done.said().contains("puppet.first-run was not called"),
        "{}",
        done.said()
    );
}

/// A rehearsal is told from a run wherever runs are listed.
#[test]
fn a_rehearsal_is_marked_and_its_person_is_the_kernels() {
    let user = User::new();
    user.reimage("host1001", &["--dry-run"]).ends_with(0, &[]);
    // As cron does: no variable says who it is.
    let done = user.with(&["runs", "--lab"], &[("USER", "")]);
    assert!(done.out.contains(" rehearsal "), "{}", done.out);
    assert!(done.out.contains("(uid "), "{}", done.out);
    let listed = user
        .wreimage(&["runs", "--lab", "--output", "json"])
        .events();
    assert_eq!(listed[0]["dry_run"], true, "{listed:?}");
    assert_eq!(listed[0]["mode"]["kind"], "lab", "{listed:?}");
    let run = listed[0]["run"].as_str().unwrap();
    let shown = user.wreimage(&["show", run, "--lab"]).out;
    let head = shown.lines().next().unwrap();
    assert!(
        head.ends_with("(rehearsal: nothing was changed)"),
        "{shown}"
    );
}
