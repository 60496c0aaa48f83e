//! One command of the site file, run on the install server.

use super::{InstallServer, LIBRARY, Lane, Script};
use crate::redact;
use crate::ssh::quote;
use std::time::Duration;
use wreimage_capability::Fault;

const COMMAND: &str = include_str!("command.sh");
/// For the shell around the command.
const BESIDES: Duration = Duration::from_secs(4);
/// Bytes of the output in a summary.
const SUMMARY: usize = 1500;

/// A command that ended.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    /// Exit status; `None` when a part of the output is missing.
    pub(crate) status: Option<i64>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Whether there was more output than was wanted.
    pub(crate) is_cut: bool,
}

impl Ran {
    /// A command that ended so and printed this.
    #[cfg(test)]
    pub(crate) fn new(status: i64, stdout: &str) -> Self {
        Ran {
            status: Some(status),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            is_cut: false,
        }
    }

    pub(crate) fn ok(&self) -> bool {
        self.status == Some(0)
    }

    /// Exit status and the end of what was written, without secrets, for messages.
    pub(crate) fn summary(&self) -> String {
        let status = self.status.map_or_else(
            || "no exit status".to_owned(),
            |it| format!("exit status {it}"),
        );
        let text = format!("{}\n{}", self.stdout.trim(), self.stderr.trim());
        let end = redact::tail(text.trim().as_bytes(), false, SUMMARY);
        if end.is_empty() {
            status
        } else {
            format!("{status}: {end}")
        }
    }
}

impl InstallServer {
    /// Runs a command; more output than `most` bytes is not read.
    ///
    /// # Errors
    /// `timeout` when it does not end in time, `unreachable` when there is no answer.
    pub(crate) async fn command(
        &self,
        argv: &[String],
        timeout: Duration,
        most: usize,
    ) -> Result<Ran, Fault> {
        let limit = timeout.as_secs().max(1);
        let listed = format!("timeout --foreground -k 2 {limit} {}", quote(argv));
        let script = Script::new(&[LIBRARY, COMMAND])
            .set("most_bytes", &most.to_string())
            .function("command_of_site", &listed);
        let limit = timeout + BESIDES;
        let answer = self.run(Lane::Quick, &script, limit, |_| {}).await?;
        let printed = answer.text("printed").unwrap_or_default();
        let stderr = answer.word("stderr").to_owned();
        Ok(match printed.rsplit_once("\nexit=") {
            Some((stdout, status)) => Ran {
                status: status.parse().ok(),
                stdout: stdout.to_owned(),
                stderr,
                is_cut: false,
            },
            None => Ran {
                status: None,
                stdout: printed,
                stderr,
                is_cut: true,
            },
        })
    }
}
