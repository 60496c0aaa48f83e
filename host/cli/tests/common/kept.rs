//! Runs in a world that is kept: they outlive their process.

use super::{Done, User, guests};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A reimage in a world that is kept, fast enough for a test and slow enough to be stopped.
pub fn begin(user: &User, host: &str, speed: &str) -> (Child, BufReader<ChildStdout>) {
    begin_with(user, host, &["--speed", speed])
}

/// The same, with more options.
pub fn begin_with(user: &User, host: &str, more: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let guest = guests().join("reimage.wasm").display().to_string();
    let world = user.home.path().join("world").display().to_string();
    let words = [
        "run", &guest, "--host", host, "--os", "bullseye", "--yes", host, "--world", &world,
    ];
    spawn(user, &[&words[..], more].concat())
}

/// A cleanup as slow as on real machines, to be stopped.
pub fn begin_cleanup(user: &User, run: &str) -> (Child, BufReader<ChildStdout>) {
    spawn(user, &["cleanup", run, "--speed", "1"])
}

/// Begins a command whose events can be read.
fn spawn(user: &User, words: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wreimage"))
        .env("HOME", user.home.path())
        .env("USER", "tester")
        .env_remove("XDG_STATE_HOME")
        .env("XDG_CACHE_HOME", guests().join("../test-cache"))
        .args(words)
        .args(["--output", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Reads until an event fits; returns the id of the run.
pub fn until(out: &mut impl BufRead, wanted: impl Fn(&Value) -> bool) -> String {
    let mut run = String::new();
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        let event: Value = serde_json::from_str(&line).unwrap();
        line.clear();
        if event["event"] == "header" {
            event["run"].as_str().unwrap().clone_into(&mut run);
        }
        if wanted(&event) {
            return run;
        }
    }
    panic!("the run ended before");
}

pub fn in_post(event: &Value) -> bool {
    event["event"] == "progress" && event["text"].to_string().contains("POST")
}

pub fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// A run whose process was killed while its machine was in POST.
pub fn killed(user: &User, host: &str) -> String {
    let (mut child, mut out) = begin(user, host, "400");
    let run = until(&mut out, in_post);
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    run
}

pub fn state_of(user: &User, run: &str) -> String {
    let listed = user.wreimage(&["runs", "--lab", "--output", "json"]);
    listed
        .events()
        .into_iter()
        .find(|it| it["run"] == run)
        .unwrap()["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub fn resume(user: &User, run: &str, more: &[&str]) -> Done {
    let arguments = [&["resume", run, "--speed", "0"], more].concat();
    user.wreimage(&arguments)
}
