//! Child processes: a clean environment, a deadline, and death together with the host.

mod ended;
mod output;

pub use ended::{ChildFailure, Ended};
pub use output::last_line;

use ended::SETPRIV;
use output::{cut, read, write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

/// More output than this of a helper program is dropped.
pub(crate) const OUTPUT_LIMIT: usize = 8 << 20;

/// How long the rest of the output of a program that has ended is waited for.
const REST: Duration = Duration::from_secs(2);
/// How long a program that was killed is waited for.
const GONE: Duration = Duration::from_secs(2);

/// The path on which helper programs are looked up: the system's, whatever the person's shell says.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What it says when there is no such program, with exit status 127.
const NOT_EXECUTED: &str = "setpriv: failed to execute";

/// Of perl-base, which every Debian has: has the kernel kill the program after so many seconds, whatever becomes of the host.
const ALARM: [&str; 3] = [
    "perl",
    "-e",
    "alarm shift; exec { $ARGV[0] } @ARGV; print STDERR \"setpriv: failed to execute $ARGV[0]: $!\\n\"; exit 127",
];

/// A program about to be run.
pub struct Child {
    command: Command,
    program: String,
    input: Vec<u8>,
    limit: usize,
    /// Whether it must not act any more.
    is_late: bool,
}

impl Child {
    /// A child with an empty environment but for `PATH` and `LC_ALL`; `None` for an empty `argv`.
    pub fn new<S: AsRef<str>>(argv: &[S]) -> Option<Self> {
        Child::until(argv, None)
    }

    /// The same for one that must not act after this time: the kernel kills it at the last whole second before. One that has
    /// less than a second is not started.
    pub fn until<S: AsRef<str>>(argv: &[S], until: Option<Instant>) -> Option<Self> {
        let program = argv.first()?.as_ref();
        let mut command = Command::new(SETPRIV);
        command.args(["--pdeathsig", "KILL", "--"]);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()).as_secs());
        if let Some(left) = left {
            command.args(ALARM).arg(left.to_string());
        }
        command
            .args(argv.iter().map(AsRef::as_ref))
            .env_clear()
            .env("PATH", SYSTEM_PATH)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Some(Child {
            command,
            program: program.to_owned(),
            input: Vec::new(),
            limit: OUTPUT_LIMIT,
            // An alarm after no time at all would be none.
            is_late: left == Some(0),
        })
    }

    /// What it gets on its standard input.
    pub fn input(&mut self, bytes: Vec<u8>) -> &mut Self {
        self.command.stdin(Stdio::piped());
        self.input = bytes;
        self
    }

    /// What is more than this of either stream is dropped.
    pub fn limit(&mut self, bytes: usize) -> &mut Self {
        self.limit = bytes;
        self
    }

    /// Sets a variable of its environment.
    pub fn environment(&mut self, name: &str, value: &str) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// For programs of the person, such as a password store, that need their home.
    pub fn inherit_environment(&mut self) -> &mut Self {
        self.command.env_clear().envs(std::env::vars_os());
        self
    }

    /// Where it runs; this process's folder for an empty path.
    pub fn folder(&mut self, folder: &Path) -> &mut Self {
        if !folder.as_os_str().is_empty() {
            self.command.current_dir(folder);
        }
        self
    }

    /// Runs it to its end, or kills it and its children at the deadline.
    ///
    /// # Errors
    /// Why there is no exit status.
    pub async fn run(self, deadline: Duration) -> Result<Ended, ChildFailure> {
        self.run_watched(deadline, &mut |_| {}).await
    }

    /// The same; `watch` gets the standard output as it comes.
    pub(crate) async fn run_watched(
        mut self,
        deadline: Duration,
        watch: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Ended, ChildFailure> {
        let program = self.program;
        if self.is_late {
            return Err(ChildFailure::Late(program));
        }
        let mut child = self
            .command
            .spawn()
            .map_err(|error| ChildFailure::NotStarted(SETPRIV.to_owned(), error))?;
        let group = Group(child.id());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let (stdin, input) = (child.stdin.take(), self.input);
        let mut ignore = |_: &[u8]| {};
        let limit = self.limit;
        let work = async {
            let output = async {
                tokio::try_join!(
                    read(out, &mut stdout, limit, watch),
                    read(err, &mut stderr, limit, &mut ignore),
                    write(&input, stdin)
                )
                .map(|_| ())
            };
            tokio::pin!(output);
            tokio::select! {
                all = &mut output => {
                    all?;
                    child.wait().await
                }
                status = child.wait() => {
                    // A process that it left behind can hold its output open.
                    if let Ok(all) = tokio::time::timeout(REST, output).await {
                        all?;
                    }
                    status
                }
            }
        };
        let ended = tokio::time::timeout(deadline, work).await;
        let is_cut = cut(&mut stdout, limit);
        cut(&mut stderr, limit);
        match ended {
            Ok(Ok(status)) => {
                group.keep();
                if status.code() == Some(127) && stderr.starts_with(NOT_EXECUTED.as_bytes()) {
                    let error = std::io::ErrorKind::NotFound.into();
                    return Err(ChildFailure::NotStarted(program, error));
                }
                Ok(Ended {
                    status,
                    stdout,
                    stderr,
                    is_cut,
                })
            }
            Ok(Err(error)) => Err(ChildFailure::Lost(program, error)),
            Err(_) => {
                drop(group);
                // One that waits for a device does not go even then; it goes with the device.
                let _ = tokio::time::timeout(GONE, child.wait()).await;
                Err(ChildFailure::Killed(program, deadline, stderr))
            }
        }
    }
}

/// Kills the child's process group when dropped: on a deadline, and when the call itself is given up.
struct Group(Option<u32>);

impl Group {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.and_then(|id| i32::try_from(id).ok())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests;
