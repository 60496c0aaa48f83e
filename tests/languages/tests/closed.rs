//! The closed WASI, exceptions, and runs that go on in another process.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};
use wreimage_language_tests::{Done, User, guest};

fn odd(language: &str) -> String {
    guest(&format!("fixtures/odd-{language}"))
}

fn logged(done: &Done) -> Vec<String> {
    done.events()
        .iter()
        .filter(|event| event["event"] == "log")
        .map(|event| {
            format!(
                "{}: {}",
                event["severity"].as_str().unwrap(),
                event["text"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn nothing_of_the_machine_is_behind_wasi() {
    let done = User::new()
        .run(&odd("python"), &["--what", "closed"])
        .ends_with(0, &[]);
    let log = logged(&done);
    let has = |line: &str| assert!(log.iter().any(|it| it == line), "{line}: {log:#?}");
    has("info: printed in parts");
    has("warn: to standard error");
    has("info: environment: [], arguments: []");
    has("info: slept 90 s");
    has("info: input: ''");
    // Time is that of the last outcome, in which the clock told it.
    has("info: time: 0");
    for what in ["name", "connection", "socket"] {
        let refused = format!("info: {what}: no: ");
        assert!(
            log.iter().any(|it| it.starts_with(&refused)),
            "{what}: {log:#?}"
        );
    }
    // A long line is cut, and all of it is there.
    let xs: usize = log.iter().map(|it| it.matches('x').count()).sum();
    assert!(xs >= 50_000, "{xs}");
    assert!(
        log.iter()
            .any(|it| it.starts_with("info: /etc/passwd: no: ")),
        "{log:#?}"
    );
    assert!(!log.iter().any(|it| it.contains("opened")), "{log:#?}");
    // Sleeping is a call like any other.
    let slept = done.events().into_iter().any(|event| {
        event["event"] == "outcome"
            && event["function"] == "clock.sleep"
            && event["arguments"]["duration_ms"] == 90_000
    });
    assert!(slept, "{}", done.said());
}

#[test]
fn inspect_folds_wasi_into_one_line() {
    let done = User::new()
        .wreimage(&["inspect", &odd("python")])
        .ends_with(0, &[]);
    let lines: Vec<&str> = done
        .out
        .lines()
        .filter(|line| line.contains("wasi:"))
        .collect();
    assert_eq!(lines.len(), 1, "{}", done.out);
    assert!(lines[0].contains("no files, no network, no environment"));
}

#[test]
fn an_exception_of_python_comes_with_its_traceback() {
    let done = User::new().wreimage(&[
        "run",
        &odd("python"),
        "--lab",
        "--host",
        "host1001",
        "--what",
        "raises",
    ]);
    done.ends_with(
        40,
        &[
            "the guest died: ValueError: no disk: an exception that it did not catch; its author must mend it",
            "Traceback (most recent call last):",
            "in inner",
            "ok   odd: Read the power state",
            "the guest's closing words failed: KeyError: 'in the closing words'",
        ],
    );
}

#[test]
fn an_exception_of_javascript_comes_with_its_stack() {
    let done = User::new().wreimage(&[
        "run",
        &odd("js"),
        "--lab",
        "--host",
        "host1001",
        "--what",
        "raises",
    ]);
    done.ends_with(
        40,
        &[
            "the guest died: no disk: an exception that it did not catch; its author must mend it",
            "at inner (/guest.js:",
        ],
    );
    let done = User::new().run(&odd("js"), &["--what", "faults"]);
    done.ends_with(40, &["the guest gives up"]);
}

#[test]
fn a_python_guest_that_exits_or_loops_is_ended() {
    let user = User::new();
    user.run(&odd("python"), &["--what", "exits"])
        .ends_with(40, &["it called `exit` with status"]);
    user.run(&odd("python"), &["--what", "loops"])
        .ends_with(40, &["it loops", "fuel"]);
}

/// A run whose calls depend on randomness and time, which pauses at a question and goes on in another process. A call that
/// was another than before would pause it again.
fn goes_on(language: &str) {
    let user = User::new();
    let world = user.home.path().join("world");
    let world = world.to_str().unwrap();
    let paused = user
        .wreimage(&[
            "run",
            &odd(language),
            "--world",
            world,
            "--host",
            "host1001",
            "--what",
            "random",
            "--output",
            "json",
        ])
        .ends_with(50, &["Go on?"]);
    let before = paused.events();
    let run = before[0]["run"].as_str().unwrap().to_owned();
    let sleeps = before
        .iter()
        .filter(|event| event["function"] == "clock.sleep" && event["event"] == "outcome");
    let sleeps: Vec<&Value> = sleeps.map(|event| &event["arguments"]).collect();
    assert!(sleeps.len() >= 4, "{}", paused.said());
    assert_ne!(
        sleeps[0], sleeps[1],
        "randomness that repeats at once is none"
    );
    user.wreimage(&["resume", &run, "--answer", "yes"])
        .ends_with(0, &["SUCCESS"]);
    let log = user.wreimage(&["logs", &run, "--output", "json"]);
    let texts: Vec<String> = log
        .events()
        .iter()
        .filter(|event| event["event"] == "log")
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect();
    // What was told before the pause is not told again, and what came after it is.
    assert_eq!(
        texts.iter().filter(|it| it.starts_with("before ")).count(),
        1,
        "{texts:?}"
    );
    assert_eq!(
        texts.iter().filter(|it| it.starts_with("after ")).count(),
        1,
        "{texts:?}"
    );
}

#[test]
fn a_python_guest_makes_the_same_calls_in_another_process() {
    goes_on("python");
}

#[test]
fn a_javascript_guest_makes_the_same_calls_in_another_process() {
    goes_on("js");
}

/// Killed in the middle of the wait for the new boot: the machine was power cycled once, and the run comes to its end.
fn survives_a_kill(language: &str) {
    let user = User::new();
    let world = user.home.path().join("world");
    let mut run = user
        .command(
            &[
                "run",
                &guest(&format!("power-cycle-{language}")),
                "--world",
                world.to_str().unwrap(),
                "--host",
                "host1001",
                "--yes",
                "host1001",
                "--no-prompt",
                "--speed",
                "10",
            ],
            &[],
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    loop {
        let runs = user.wreimage(&["runs", "--lab"]).said();
        if runs.contains("Wait for a new boot") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{runs}");
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let runs = user.home.path().join(".local/state/wreimage/runs");
    let id = std::fs::read_dir(runs).unwrap().next().unwrap().unwrap();
    let id = id.file_name().into_string().unwrap();
    user.wreimage(&["resume", &id, "--speed", "0"])
        .ends_with(0, &["was power cycled and is up again"]);
    let log = user.wreimage(&["logs", &id, "--output", "json"]);
    let cycles = log
        .events()
        .iter()
        .filter(|event| event["event"] == "outcome" && event["function"] == "ipmi.set-power")
        .count();
    assert_eq!(cycles, 1, "{}", log.said());
}

#[test]
fn a_run_that_is_killed_in_a_call_goes_on_in_python_and_javascript() {
    survives_a_kill("python");
    survives_a_kill("js");
}
