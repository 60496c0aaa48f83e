//! The serial console: every line with the time at which it was complete.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use regex_lite::Regex;

use crate::clock::now;
use crate::sync::lock;

/// One line of the console.
#[derive(Debug, Clone)]
pub struct ConsoleLine {
    /// When its end came out of the machine.
    pub at: Timestamp,
    /// The line, without control characters.
    pub text: String,
}

impl ConsoleLine {
    /// The value of `name=value` in the line.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.text
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Vec<ConsoleLine>>,
    grown: Condvar,
}

/// The console of the machine since the rig's start, over all power cycles.
#[derive(Debug, Clone)]
pub struct Console {
    shared: Arc<Shared>,
    log: PathBuf,
}

impl Console {
    pub(crate) fn new(log: &Path) -> Self {
        Self {
            shared: Arc::default(),
            log: log.to_owned(),
        }
    }

    /// The file with all lines, each behind its time.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Reads a machine's output to its end, on a thread.
    pub(crate) fn follow(&self, output: impl Read + Send + 'static) -> Result<()> {
        let mut log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut bytes = Vec::new();
            // An error ends the reading as the end of the machine does.
            while matches!(reader.read_until(b'\n', &mut bytes), Ok(1..)) {
                let text: String = String::from_utf8_lossy(&bytes)
                    .chars()
                    .filter(|letter| !letter.is_control())
                    .collect();
                bytes.clear();
                let line = ConsoleLine { at: now(), text };
                let _ = writeln!(log, "{:.3} {}", line.at, line.text);
                lock(&shared.lines).push(line);
                shared.grown.notify_all();
            }
        });
        Ok(())
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<ConsoleLine> {
        lock(&self.shared.lines).clone()
    }

    /// The first line since `since` that matches the regular expression.
    ///
    /// # Errors
    ///
    /// The expression is none.
    pub fn find(&self, since: Timestamp, pattern: &str) -> Result<Option<ConsoleLine>> {
        let pattern = Regex::new(pattern)?;
        Ok(first(&lock(&self.shared.lines), since, &pattern))
    }

    /// Waits for such a line.
    ///
    /// # Errors
    ///
    /// The expression is none, or the deadline has passed: the message has the
    /// last lines.
    pub fn wait_for(
        &self,
        since: Timestamp,
        pattern: &str,
        limit: Duration,
    ) -> Result<ConsoleLine> {
        let expression = Regex::new(pattern)?;
        let end = Instant::now() + limit;
        let mut lines = lock(&self.shared.lines);
        loop {
            if let Some(line) = first(&lines, since, &expression) {
                return Ok(line);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let from = lines.len().saturating_sub(15);
                let last: Vec<&str> = lines.iter().skip(from).map(|l| l.text.as_str()).collect();
                bail!(
                    "the console did not say {pattern:?} within {:.0} s; its last lines:\n{}",
                    limit.as_secs_f64(),
                    last.join("\n")
                );
            }
            lines = self
                .shared
                .grown
                .wait_timeout(lines, left)
                .map_or_else(|error| error.into_inner().0, |(lines, _)| lines);
        }
    }
}

fn first(lines: &[ConsoleLine], since: Timestamp, pattern: &Regex) -> Option<ConsoleLine> {
    lines
        .iter()
        .find(|line| line.at >= since && pattern.is_match(&line.text))
        .cloned()
}
