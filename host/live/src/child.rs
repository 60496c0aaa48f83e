//! Child processes: a clean environment, a deadline, and death together with the host.

use crate::redact::{self, without_secrets};
use std::fmt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;

/// More output than this of a helper program is dropped.
pub(crate) const OUTPUT_LIMIT: usize = 8 << 20;

/// How long the rest of the output of a program that has ended is waited for.
const REST: Duration = Duration::from_secs(2);
/// How long a program that was killed is waited for.
const GONE: Duration = Duration::from_secs(2);

/// The path on which helper programs are looked up: the system's, whatever the person's shell says.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Of util-linux: has the kernel kill the program when the host dies, even by SIGKILL.
const SETPRIV: &str = "setpriv";
/// What it says when there is no such program, with exit status 127.
const NOT_EXECUTED: &str = "setpriv: failed to execute";

/// Of perl-base, which every Debian has: has the kernel kill the program after so many seconds, whatever becomes of the host.
const ALARM: [&str; 3] = [
    "perl",
    "-e",
    "alarm shift; exec { $ARGV[0] } @ARGV; print STDERR \"setpriv: failed to execute $ARGV[0]: $!\\n\"; exit 127",
];

/// A program about to be run.
pub(crate) struct Child {
    command: Command,
    program: String,
    input: Vec<u8>,
    limit: usize,
    /// Whether it must not act any more.
    is_late: bool,
}

/// A program that ended by itself.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// Whether a part of the standard output may be missing.
    pub(crate) is_cut: bool,
}

/// Why there is no exit status.
#[derive(Debug)]
pub(crate) enum ChildFailure {
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
    pub(crate) fn was_killed(&self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        self.status.signal().is_some()
    }

    pub(crate) fn success(&self) -> bool {
        self.status.success()
    }

    /// `exit status 1`, or the signal.
    pub(crate) fn exit(&self) -> String {
        use std::os::unix::process::ExitStatusExt;
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no exit status".to_owned(),
        }
    }
}

impl Child {
    /// A child with an empty environment but for `PATH` and `LC_ALL`; `None` for an empty `argv`.
    pub(crate) fn new<S: AsRef<str>>(argv: &[S]) -> Option<Self> {
        Child::until(argv, None)
    }

    /// The same for one that must not act after this time: the kernel kills it at the last whole second before. One that has
    /// less than a second is not started.
    pub(crate) fn until<S: AsRef<str>>(argv: &[S], until: Option<Instant>) -> Option<Self> {
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
    pub(crate) fn input(&mut self, bytes: Vec<u8>) -> &mut Self {
        self.command.stdin(Stdio::piped());
        self.input = bytes;
        self
    }

    /// What is more than this of either stream is dropped.
    pub(crate) fn limit(&mut self, bytes: usize) -> &mut Self {
        self.limit = bytes;
        self
    }

    pub(crate) fn environment(&mut self, name: &str, value: &str) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// For programs of the person, such as a password store, that need their home.
    pub(crate) fn inherit_environment(&mut self) -> &mut Self {
        self.command.env_clear().envs(std::env::vars_os());
        self
    }

    pub(crate) fn folder(&mut self, folder: &Path) -> &mut Self {
        if !folder.as_os_str().is_empty() {
            self.command.current_dir(folder);
        }
        self
    }

    /// Runs it to its end, or kills it and its children at the deadline.
    pub(crate) async fn run(self, deadline: Duration) -> Result<Ended, ChildFailure> {
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

/// A child that does not read what it is given may end all the same.
async fn write(bytes: &[u8], to: Option<impl AsyncWrite + Unpin>) -> std::io::Result<()> {
    if let Some(mut to) = to {
        let _ = to.write_all(bytes).await;
        let _ = to.shutdown().await;
    }
    Ok(())
}

/// Reads to the end, and keeps so many bytes.
async fn read(
    from: Option<impl AsyncRead + Unpin>,
    to: &mut Vec<u8>,
    limit: usize,
    watch: &mut (dyn FnMut(&[u8]) + Send),
) -> std::io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut buffer = vec![0; 8192];
    loop {
        let count = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        watch(bytes);
        let room = limit.saturating_sub(to.len()).min(bytes.len());
        to.extend_from_slice(bytes.get(..room).unwrap_or_default());
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

/// Whether a stream reached its limit; what it holds then does not end in a piece of a secret.
fn cut(bytes: &mut Vec<u8>, limit: usize) -> bool {
    let is_cut = bytes.len() >= limit;
    if is_cut {
        redact::whole_secrets(bytes);
    }
    is_cut
}

/// The last line that is not empty, without secrets, bounded, for messages.
pub(crate) fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    // As a whole: a secret can have several lines.
    let text = without_secrets(&text);
    let line = text.lines().rev().map(str::trim).find(|l| !l.is_empty());
    line.unwrap_or("(no output)").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(script: &str) -> Child {
        Child::new(&["sh", "-c", script]).unwrap()
    }

    #[tokio::test]
    async fn the_environment_is_empty() {
        let mut child = child("env");
        child.environment("GIVEN", "1");
        let ended = child.run(Duration::from_secs(10)).await.unwrap();
        let text = String::from_utf8(ended.stdout).unwrap();
        assert!(text.contains("GIVEN=1"), "{text}");
        assert!(!text.contains("HOME=") && !text.contains("CARGO"), "{text}");
    }

    /// Nothing of this process is needed for it: the child would be killed while this process is stopped.
    #[tokio::test]
    async fn the_kernel_kills_a_child_that_must_not_act_any_more() {
        let start = Instant::now();
        let until = Some(start + Duration::from_secs(2));
        let child = Child::until(&["sleep", "77"], until).unwrap();
        let ended = child.run(Duration::from_secs(60)).await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(30));
        assert_eq!(ended.exit(), "signal 14");
        for too_late in [until, Some(Instant::now() + Duration::from_millis(900))] {
            let late = Child::until(&["echo", "done"], too_late).unwrap();
            let failure = late.run(Duration::from_secs(60)).await.err().unwrap();
            assert!(matches!(failure, ChildFailure::Late(_)), "{failure}");
        }
        let until = Some(Instant::now() + Duration::from_secs(60));
        let quick = Child::until(&["echo", "done"], until).unwrap();
        let ended = quick.run(Duration::from_secs(60)).await.unwrap();
        assert_eq!(ended.stdout, b"done\n");
        let missing = Child::until(&["no-such-program-at-all"], until).unwrap();
        let failure = missing.run(Duration::from_secs(60)).await.err().unwrap();
        assert!(
            failure.to_string().contains("is not installed"),
            "{failure}"
        );
    }

    #[tokio::test]
    async fn a_child_and_its_children_are_killed_at_the_deadline() {
        let start = Instant::now();
        let failure = child("sleep 77 & echo $! >&2; wait")
            .run(Duration::from_millis(300))
            .await
            .err()
            .unwrap();
        assert!(start.elapsed() < Duration::from_secs(5));
        let ChildFailure::Killed(_, _, stderr) = failure else {
            panic!("{failure}")
        };
        let pid: u32 = String::from_utf8(stderr).unwrap().trim().parse().unwrap();
        let gone = || match std::fs::read_to_string(format!("/proc/{pid}/status")) {
            Ok(status) => status.contains("State:\tZ"),
            Err(_) => true,
        };
        for _ in 0..50 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the grandchild {pid} still runs");
    }

    #[tokio::test]
    async fn what_a_program_leaves_behind_holds_up_nobody() {
        let start = Instant::now();
        let left = child("setsid sleep 20 & echo done");
        let ended = left.run(Duration::from_secs(15)).await.unwrap();
        assert!(ended.success());
        assert_eq!(ended.stdout, b"done\n");
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn output_beyond_the_limit_is_dropped() {
        let mut endless = child("yes out & yes err >&2");
        endless.limit(10_000);
        let failure = endless.run(Duration::from_millis(500)).await.err().unwrap();
        let ChildFailure::Killed(_, _, stderr) = failure else {
            panic!("{failure}")
        };
        assert_eq!(stderr.len(), 10_000);
    }

    #[tokio::test]
    async fn no_piece_of_a_secret_is_left_where_output_was_cut() {
        redact::remember(&"mandragora-officinarum".to_owned().into());
        let mut child = child("printf xxmandragora-officinarum | tee /dev/stderr");
        child.limit(12);
        let ended = child.run(Duration::from_secs(10)).await.unwrap();
        assert_eq!(
            (&ended.stdout[..], &ended.stderr[..]),
            (&b"xx"[..], &b"xx"[..])
        );
        assert!(ended.is_cut);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let child = Child::new(&["no-such-program-at-all"]).unwrap();
        let failure = child.run(Duration::from_secs(5)).await.err().unwrap();
        assert_eq!(
            failure.to_string(),
            "the program `no-such-program-at-all` is not installed"
        );
    }
}
