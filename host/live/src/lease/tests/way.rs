//! The way to a played install server: what becomes of a message, and of the script that it has.

use crate::install_server::{Lane, Printed, Transport};
use futures::FutureExt;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wreimage_capability::{BoxFuture, Fault};

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is executed and answered.
    Deliver,
    /// It is executed, and the answer is lost.
    LoseAnswer,
    /// It never arrives.
    LoseRequest,
    /// It is executed later; no answer comes.
    Late,
    /// The script is killed before its n-th step.
    Kill(u32),
    /// The script is stopped before its n-th step, and continues later; no answer comes.
    Stop(u32),
}

/// Functions that take the place of the steps: `sync` is left out, as nothing here loses power. No script waits for a lock.
const PLAYED: &str = r#"
ticks=0
tick() {
    ticks=$((ticks + 1))
    [ "$ticks" != "$at" ] || kill -"$signal" $$
}
mv() { tick; command mv "$@"; }
rm() { tick; command rm "$@"; }
sync() { tick; }
flock() { for last do :; done; command flock -n "$last"; }
"#;

/// The way to the server.
#[derive(Default)]
pub(super) struct Way {
    /// What becomes of the next message.
    pub(super) fate: Mutex<Option<Fate>>,
    late: Mutex<Vec<String>>,
    pub(super) stopped: Mutex<Vec<Child>>,
    /// What delivered scripts wrote to their standard error.
    pub(super) errors: Mutex<String>,
}

fn spawn(script: &str) -> Child {
    let mut child = Command::new("sh")
        .arg("-s")
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A script that ends early does not read the rest.
    let _ = stdin.write_all(script.as_bytes());
    child
}

fn is_stopped(id: u32) -> Option<bool> {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let state = status.rsplit(')').next()?.trim().chars().next()?;
    match state {
        'T' => Some(true),
        'Z' | 'X' => None,
        _ => Some(false),
    }
}

impl Way {
    fn play(&self, script: String) -> Result<Vec<u8>, Fault> {
        let fate = self.fate.lock().unwrap().take().unwrap_or(Fate::Deliver);
        let none = || Fault::unreachable("dhcp.unreachable", "played", "no answer");
        let (at, signal) = match fate {
            Fate::Kill(at) => (at, "KILL"),
            Fate::Stop(at) => (at, "STOP"),
            _ => (0, "KILL"),
        };
        let script = format!("at={at} signal={signal}{PLAYED}{script}");
        match fate {
            Fate::LoseRequest => return Err(none()),
            Fate::Late => {
                self.late.lock().unwrap().push(script);
                return Err(none());
            }
            Fate::Stop(_) => {
                let mut child = spawn(&script);
                while is_stopped(child.id()) == Some(false) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                if is_stopped(child.id()) == Some(true) {
                    self.stopped.lock().unwrap().push(child);
                } else {
                    let _ = child.wait();
                }
                return Err(none());
            }
            _ => {}
        }
        let output = spawn(&script).wait_with_output().unwrap();
        match fate {
            Fate::Deliver => {
                let errors = String::from_utf8_lossy(&output.stderr);
                self.errors.lock().unwrap().push_str(&errors);
                Ok(output.stdout)
            }
            // One that ended before that step was answered, and the answer was lost.
            _ => Err(none()),
        }
    }

    /// Executes a message that was late, and lets a script continue that was stopped; whether there was one.
    pub(super) fn catch_up(&self) -> bool {
        let late = self.late.lock().unwrap().pop();
        if let Some(script) = &late {
            let _ = spawn(script).wait_with_output();
        }
        let stopped = self.stopped.lock().unwrap().pop();
        let any = late.is_some() || stopped.is_some();
        if let Some(child) = stopped {
            let id = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process(id, rustix::process::Signal::CONT);
            let _ = child.wait_with_output();
        }
        any
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        for mut child in self.stopped.lock().unwrap().drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(super) struct Played(pub(super) Arc<Way>);

impl Transport for Played {
    fn system(&self) -> String {
        "install server (this machine)".to_owned()
    }

    fn send<'a>(
        &'a self,
        _lane: Lane,
        script: String,
        _timeout: Duration,
        _watch: &'a mut (dyn FnMut(&[u8]) + Send),
    ) -> BoxFuture<'a, Result<Printed, Fault>> {
        let printed = |stdout| Printed {
            ended: "no exit status".to_owned(),
            stdout,
            stderr: String::new(),
            is_cut: false,
        };
        async move { self.0.play(script).map(printed) }.boxed()
    }
}
