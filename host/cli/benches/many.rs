//! 200 reimages at once in one process, in the lab, against one alone: `cargo bench --bench many`. Prints how much later each
//! comes to its end than the one that is alone, and the memory of the process at its most.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::Value;
use std::collections::HashMap;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: u32 = 200;

/// Virtual seconds in a second.
const SPEED: &str = "60";

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().join("world.toml");
    std::fs::write(&world, site()).unwrap();
    let alone = run("host1001", folder.path());
    let [alone] = alone.took.as_slice() else {
        panic!("it did not end");
    };
    let many = run("host[1001-1200]", folder.path());
    assert_eq!(many.took.len() as u32, RUNS, "not all came to a good end");
    let mut later: Vec<f64> = many
        .took
        .iter()
        .map(|took| took.as_secs_f64() / alone.as_secs_f64() - 1.0)
        .collect();
    later.sort_by(f64::total_cmp);
    let at = |part: f64| later[(later.len() as f64 * part) as usize] * 100.0;
    println!("alone: {:.1} s", alone.as_secs_f64());
    println!(
        "{RUNS} at once: later by {:.1} % (median; bar 5 %), {:.1} % (p95; bar 15 %), {:.1} % (last)",
        at(0.5),
        at(0.95),
        at(0.999)
    );
    println!("memory at most: {} MB (bar 250 MB)", many.memory_kb / 1000);
}

struct Measured {
    /// From the first record of each run that came to a good end to its last.
    took: Vec<Duration>,
    memory_kb: u64,
}

fn run(hosts: &str, folder: &Path) -> Measured {
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/reimage.wasm");
    let mut child = Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", folder)
        .env_remove("XDG_STATE_HOME")
        .arg("run")
        .arg(guest)
        .args(["--host", hosts, "--yes", hosts, "--os", "bullseye"])
        .arg(format!("--lab={}", folder.join("world.toml").display()))
        .args(["--speed", SPEED, "--parallel", "200"])
        .args(["--max-failures", "200", "--output", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let (mut began, mut took, mut memory_kb) = (HashMap::new(), Vec::new(), 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let now = Instant::now();
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let run = event["of"].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("header") => {
                began.insert(run, now);
            }
            Some("finished") => {
                memory_kb = peak(&status).max(memory_kb);
                if event["exit_code"] == 0 {
                    took.push(now - began[&run]);
                }
            }
            _ => {}
        }
    }
    child.wait().unwrap();
    Measured { took, memory_kb }
}

/// `VmHWM` of proc(5).
fn peak(status: &str) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.map_or(0, |number| number.parse().unwrap())
}

/// A site with so many healthy machines.
fn site() -> String {
    let mut text =
        "site = \"lab1\"\ndomain = \"lab1.test\"\nstart = \"2026-01-05T08:00:00Z\"\nseed = 1001\n\
                    distributions = [\"bullseye\"]\nmedia = [\"installer\"]\n"
            .to_owned();
    for number in 1..=RUNS {
        write!(
            text,
            "[machine.host{host}]\nvendor = \"Dell\"\nserial = \"LAB{host}\"\n\
             uuid = \"4c4c4544-0041-4210-8031-ccc04f30{host:04x}\"\nmac = \"02:00:5e:00:10:{number:02x}\"\n\
             address = \"192.0.2.{number}\"\nmanagement-address = \"198.51.100.{number}\"\n\
             switch = {{ name = \"asw1-a-lab1\", port = \"ge-0/0/{number}\", vlan = \"private1-a-lab1\" }}\n\
             disk = \"buster\"\n",
            host = 1000 + number
        )
        .unwrap();
    }
    text
}
