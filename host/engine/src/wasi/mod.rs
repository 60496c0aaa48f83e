//! The closed WASI 0.2 of guests whose language needs one (Python, JavaScript).
//!
//! Nothing of this machine is behind it: no files, no network, no environment, no arguments. Clocks show the time of the last
//! outcome, sleeping is a call like any other, randomness follows from the run's id, and what is written to standard output
//! and standard error is logged. So the same bytes, arguments and journal give the same calls.

mod clocks;
mod exception;
mod io;
mod lines;
mod link;
mod random;
mod types;

pub(crate) use link::{is_offered, link};

use exception::Exception;
use lines::Lines;
use random::Random;
use std::collections::BTreeMap;
use wasmtime::Result;
use wreimage_capability::BoxFuture;
use wreimage_capability::run::Severity;

/// What a guest sees of time, in milliseconds since 1970: both times stand in the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// When the run began.
    pub(crate) began: u64,
    /// When the last call was answered.
    pub(crate) now: u64,
}

/// What the closed WASI hands on.
pub(crate) trait Outside: Send {
    /// The time that is shown.
    fn times(&self) -> Times;
    /// Sleeps by the clock of the run.
    fn sleep(&mut self, millis: u64) -> BoxFuture<'_, Result<()>>;
    /// Takes a line that the guest has written.
    fn tell(&mut self, severity: Severity, line: String) -> BoxFuture<'_, Result<()>>;
}

/// The store of an instance that has a closed WASI.
pub(crate) trait HasWasi: Send + 'static {
    /// It.
    fn wasi(&mut self) -> &mut Wasi;
}

/// The closed WASI of one instance.
pub(crate) struct Wasi {
    outside: Box<dyn Outside>,
    random: Random,
    out: Lines,
    err: Lines,
    /// When each pollable is ready, in nanoseconds of the monotonic clock.
    pollables: BTreeMap<u32, u64>,
    next_pollable: u32,
    /// The monotonic clock has been seen here and never goes back.
    seen_ns: u64,
    sleeps: u64,
}

/// The guest has ended itself.
#[derive(Debug, thiserror::Error)]
#[error("it called `exit` with status {0} instead of returning")]
pub(crate) struct Exited(pub(crate) u8);

impl Wasi {
    /// With randomness that follows from `seed`.
    pub(crate) fn new(outside: Box<dyn Outside>, seed: &str) -> Self {
        Wasi {
            outside,
            random: Random::new(seed),
            out: Lines::default(),
            err: Lines::default(),
            pollables: BTreeMap::new(),
            next_pollable: 0,
            seen_ns: 0,
            sleeps: 0,
        }
    }

    /// How often it has slept: a guest gets new fuel after each time, as after each call.
    pub(crate) fn sleeps(&self) -> u64 {
        self.sleeps
    }

    /// Logs what was written without an end of line.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        for stream in [Stream::Out, Stream::Err] {
            if let Some(line) = self.lines(stream).rest() {
                self.outside.tell(stream.severity(), line).await?;
            }
        }
        Ok(())
    }

    /// The exception of which a guest died, with its traceback.
    pub(crate) fn exception(&self) -> Option<String> {
        Exception::find(&self.err.last()).map(|it| it.told())
    }

    /// What a guest wrote to standard error last.
    pub(crate) fn last_words(&self) -> Option<String> {
        let words = self.err.last().join("\n");
        let words = words.trim();
        (!words.is_empty()).then(|| words.to_owned())
    }

    async fn write(&mut self, stream: Stream, bytes: &[u8]) -> Result<()> {
        step_aside().await;
        for line in self.lines(stream).take(bytes) {
            if !line.trim().is_empty() {
                self.outside.tell(stream.severity(), line).await?;
            }
        }
        Ok(())
    }

    fn lines(&mut self, stream: Stream) -> &mut Lines {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }
}

/// Other runs, timers and signals get their turn after what a guest can make the host do for little fuel.
async fn step_aside() {
    tokio::task::yield_now().await;
}

/// Where a guest can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

impl Stream {
    fn severity(self) -> Severity {
        match self {
            Stream::Out => Severity::Info,
            Stream::Err => Severity::Warn,
        }
    }

    fn number(self) -> u32 {
        match self {
            Stream::Out => 1,
            Stream::Err => 2,
        }
    }

    fn of_number(number: u32) -> Self {
        if number == Stream::Out.number() {
            Stream::Out
        } else {
            Stream::Err
        }
    }
}

/// Before a run there is no time to show, nobody to sleep for, and no log.
pub(crate) struct Nowhere;

impl Outside for Nowhere {
    fn times(&self) -> Times {
        Times::default()
    }

    fn sleep(&mut self, _millis: u64) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            Err(wasmtime::Error::msg(
                "it sleeps where it may only describe itself",
            ))
        })
    }

    fn tell(&mut self, _severity: Severity, _line: String) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}
