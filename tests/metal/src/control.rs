//! The socket over which programs of the rig (the BMC's chassis program, the
//! install server's `systemctl`) ask the rig's process to do something.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

/// What a program gets back: its exit status and its output.
pub(crate) struct Reply {
    pub(crate) status: i32,
    pub(crate) output: String,
}

impl Reply {
    pub(crate) fn of(result: Result<String>) -> Self {
        match result {
            Ok(output) => Self { status: 0, output },
            Err(error) => Self {
                status: 1,
                output: format!("{error:#}"),
            },
        }
    }
}

/// Answers to the shims in `bin/`; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Control {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Listens at `control.sock` in the directory.
    pub(crate) fn start(
        directory: &Path,
        answer: impl Fn(&[&str]) -> Reply + Send + Sync + 'static,
    ) -> Result<Self> {
        // The address of a UNIX socket holds 107 bytes; a checkout may stand deeper than that.
        let opened = File::open(directory)?;
        let listener =
            UnixListener::bind(format!("/proc/self/fd/{}/control.sock", opened.as_raw_fd()))
                .context("cannot listen at control.sock")?;
        listener.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let answer = Arc::new(answer);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let answer = Arc::clone(&answer);
                        std::thread::spawn(move || serve(&stream, answer.as_ref()));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    Err(_) => break,
                }
            }
        });
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

fn serve(stream: &UnixStream, answer: &impl Fn(&[&str]) -> Reply) {
    let mut line = String::new();
    // On some systems an accepted socket is non-blocking like its listener.
    let usable = stream.set_nonblocking(false).is_ok()
        && stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .is_ok();
    if !usable || BufReader::new(stream).read_line(&mut line).is_err() {
        return;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let reply = answer(&words);
    // A program that has gone does not need its answer.
    let mut stream = stream;
    let _ = writeln!(stream, "{}\n{}", reply.status, reply.output.trim_end());
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
