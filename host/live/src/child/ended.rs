//! How a program ended, or why it did not.

use super::output::last_line;
use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

/// Of util-linux: has the kernel kill the program when the host dies, even by SIGKILL.
pub(super) const SETPRIV: &str = "setpriv";

/// A program that ended by itself.
pub struct Ended {
    /// As the system reports it.
    pub status: ExitStatus,
    /// What it wrote to its standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error, up to the limit.
    pub stderr: Vec<u8>,
    /// Whether a part of the standard output may be missing.
    pub is_cut: bool,
}

/// Why there is no exit status.
#[derive(Debug)]
pub enum ChildFailure {
    /// It could not be started.
    NotStarted(String, std::io::Error),
    /// It was not started: the kernel could not have ended it in time.
    Late(String),
    /// It was still running at the deadline and has been killed; what it had written to stderr.
    Killed(String, Duration, Vec<u8>),
    /// Its output could not be read.
    Lost(String, std::io::Error),
}

impl fmt::Display for ChildFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChildFailure::NotStarted(program, error)
                if error.kind() == std::io::ErrorKind::NotFound =>
            {
                let package = if program == SETPRIV {
                    "; install the package util-linux on this machine"
                } else {
                    ""
                };
                write!(f, "the program `{program}` is not installed{package}")
            }
            ChildFailure::NotStarted(program, error) => {
                write!(f, "`{program}` cannot be started: {error}")
            }
            ChildFailure::Late(program) => write!(
                f,
                "`{program}` was not started: in less than a second this run may not act on the host any more"
            ),
            ChildFailure::Killed(program, after, stderr) => write!(
                f,
                "`{program}` was killed after {} s; its last words: {}",
                after.as_secs_f32(),
                last_line(stderr)
            ),
            ChildFailure::Lost(program, error) => write!(f, "the output of `{program}`: {error}"),
        }
    }
}

impl Ended {
    /// Whether a signal ended it: what it was about to do may have been done or not.
    pub fn was_killed(&self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        self.status.signal().is_some()
    }

    /// Whether it ended with status 0.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// `exit status 1`, or the signal.
    pub fn exit(&self) -> String {
        use std::os::unix::process::ExitStatusExt;
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no exit status".to_owned(),
        }
    }
}
