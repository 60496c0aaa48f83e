//! What the lab costs without the engine: `cargo bench --workspace --bench lab`.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{At, Run, edited};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wreimage_capability::Polled;
use wreimage_lab::{Lab, Pace, World};

/// A reimage takes less: one read, a publish, a restart, two waits with a look each second of lab time, a withdrawal.
const REIMAGE: Duration = Duration::from_millis(20);
/// A read takes less, its arguments and its answer as JSON included.
const READ: Duration = Duration::from_micros(2);
const REIMAGES: usize = 50;
const READS: u32 = 2000;
const ROUNDS: usize = 20;

fn main() {
    let runtime = Runtime::new().unwrap();
    let mut is_kept = true;

    let (whole, polls) = runtime.block_on(reimages());
    println!("a reimage with {polls} polls: {whole:?} (median of {REIMAGES}; bar {REIMAGE:?})");
    is_kept &= whole < REIMAGE;

    for (name, arguments) in [
        ("ipmi.get-power-state", json!({})),
        ("ipmi.get-boot-flags", json!({})),
        ("netbox.get-device", json!({})),
        ("remote.get-boot-id", json!({ "at": "Production" })),
    ] {
        let (read, copy) = runtime.block_on(reads(name, &arguments));
        let ratio = read.as_secs_f64() / copy.as_secs_f64();
        println!("{name}: {read:?}, {ratio:.1} x a copy of its answer (bar {READ:?})");
        is_kept &= read < READ;
    }
    assert!(is_kept, "a bar is exceeded");
}

/// The median of some reimages, and how often each has looked at the machine.
async fn reimages() -> (Duration, usize) {
    let mut polls = 0;
    let mut spans = Vec::new();
    for _ in 0..REIMAGES {
        let lab = Lab::new(World::builtin().unwrap(), Pace::Full);
        let run = Run::of(&lab, "host1001");
        let began = Instant::now();
        polls = reimage(&run).await;
        spans.push(began.elapsed());
    }
    (median(spans), polls)
}

/// What one read takes in the round in which nothing else held it up, and a copy of its answer.
async fn reads(name: &str, arguments: &serde_json::Value) -> (Duration, Duration) {
    let lab = Lab::new(edited("seed = 1001", "seed = 1"), Pace::Full);
    let run = Run::of(&lab, "host1001");
    let call = run.call_number();
    let Polled::Ready(answer) = run.perform(&call, name, arguments.clone()).await.unwrap() else {
        panic!("{name} is pending")
    };
    let (mut spans, mut copies) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for _ in 0..READS {
            run.perform(&call, name, arguments.clone()).await.unwrap();
        }
        spans.push(began.elapsed() / READS);
        let began = Instant::now();
        for _ in 0..READS {
            std::hint::black_box(answer.clone());
        }
        copies.push(began.elapsed() / READS);
    }
    (best(spans), best(copies))
}

fn best(spans: Vec<Duration>) -> Duration {
    spans.into_iter().min().unwrap()
}

fn median(mut spans: Vec<Duration>) -> Duration {
    spans.sort();
    spans.get(spans.len() / 2).copied().unwrap()
}

/// One reimage in the lab: read, publish, restart, look every second of lab time, withdraw.
async fn reimage(run: &Run) -> usize {
    let mut polls = 0;
    let old = run.boot_id(At::Production).await.unwrap();
    run.restart_into_installer("bullseye").await;
    let mut before = old;
    for _ in 0..2 {
        before = loop {
            polls += 1;
            match run.look(Some(&before)).await {
                Polled::Ready(boot) => break boot.boot_id,
                Polled::Pending { .. } => run.sleep(1).await,
            }
        };
    }
    assert_eq!(run.release(At::Installer).await.unwrap(), "bullseye");
    assert!(run.withdraw().await.unwrap());
    polls
}
