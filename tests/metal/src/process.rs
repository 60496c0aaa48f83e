//! Processes of the rig: none outlives it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock::wait_for;

type Job = (Command, Sender<io::Result<Child>>);

/// Starts the command on a thread that lives as long as this process.
///
/// The kernel's parent-death signal is sent when the *thread* ends that started
/// the child. A test may start the rig on a thread that ends early.
fn spawn_on_lasting_thread(command: Command) -> Result<Child> {
    static STARTER: OnceLock<std::sync::Mutex<Sender<Job>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in jobs {
                // Nobody waits for the answer any more: the child would be lost.
                if let Err(lost) = reply.send(command.spawn())
                    && let Ok(mut child) = lost.0
                {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        });
        std::sync::Mutex::new(sender)
    });
    let (reply, answer) = channel();
    starter
        .lock()
        .map_err(|_| anyhow!("the thread that starts processes is gone"))?
        .send((command, reply))
        .map_err(|_| anyhow!("the thread that starts processes is gone"))?;
    Ok(answer.recv()??)
}

/// `program`, which the kernel kills when the rig's process dies.
///
/// util-linux' `setpriv` sets the signal, so that no unsafe code is needed here.
fn dying_with_us(command: &Command) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--pdeathsig", "KILL", "--"]);
    append(&mut wrapped, command);
    wrapped
}

/// Makes `command` the arguments of `wrapper`, in its directory and environment.
fn append(wrapper: &mut Command, command: &Command) {
    wrapper.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapper.env(name, value),
            None => wrapper.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        wrapper.current_dir(directory);
    }
}

/// A running process; dropping it kills it and its process group.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a process whose output goes to a file.
    ///
    /// # Errors
    ///
    /// The file cannot be written or the program cannot be started.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        let output = Self::open_log(log)?;
        let mut command = dying_with_us(command);
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        Self::spawn(name, command, log)
    }

    /// Starts a process whose standard output the caller reads; its standard
    /// error goes to a file.
    ///
    /// # Errors
    ///
    /// As [`Process::start`].
    pub fn start_piped(name: &str, command: &Command, log: &Path) -> Result<(Self, ChildStdout)> {
        let mut command = dying_with_us(command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Self::open_log(log)?);
        let mut process = Self::spawn(name, command, log)?;
        let output = process
            .child
            .stdout
            .take()
            .with_context(|| format!("{name} has no standard output"))?;
        Ok((process, output))
    }

    fn open_log(log: &Path) -> Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))
    }

    fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        command.process_group(0);
        let child =
            spawn_on_lasting_thread(command).with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// As [`Process::is_running`], from outside: a zombie does not run.
    pub fn seems_running(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.pid())).is_ok_and(|stat| {
            stat.rsplit_once(')')
                .is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
        })
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    ///
    /// The deadline has passed or the process has ended; the message holds its output.
    pub fn wait_ready(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut(&str) -> bool,
    ) -> Result<()> {
        let name = self.name.clone();
        let waited = wait_for(&format!("{name} to get ready"), limit, || {
            if ready(&self.output()) {
                return Ok(Some(()));
            }
            if !self.is_running() {
                bail!("{name} ended");
            }
            Ok(None)
        });
        waited.with_context(|| format!("{name} said:\n{}", self.output()))
    }

    /// Asks it to end, and kills it when it has not after two seconds.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let start = Instant::now();
        while self.is_running() && start.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// Kills it at once, with its process group, and waits for its end.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    fn signal(&mut self, signal: Signal) {
        // After wait() the id may belong to somebody else.
        if self.is_running()
            && let Some(pid) = Pid::from_raw(self.child.id().cast_signed())
        {
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process that waits for the end of this one, whose death closes the pipe.
#[derive(Debug)]
pub struct Watcher {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Watcher {
    /// Starts it in a session of its own: what ends the test must not end it.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub fn start(command: &Command) -> Result<Self> {
        let mut wrapped = Command::new("setsid");
        wrapped
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = wrapped.spawn().context("cannot start the janitor")?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.child.wait();
    }
}

/// Runs a command to its end and gives its standard output.
///
/// # Errors
///
/// It cannot be started, does not end within `limit`, or ends with another
/// status than 0: the message has its output.
pub fn run(command: &Command, limit: Duration) -> Result<String> {
    let output = run_any(command, limit)?;
    if !output.status.success() {
        bail!(
            "{}: {}\n{}{}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// As [`run`], whatever the exit status.
///
/// # Errors
///
/// It cannot be started or does not end within `limit`.
pub fn run_any(command: &Command, limit: Duration) -> Result<Output> {
    // A deadline by coreutils' timeout, whose 124 and 137 mean that it has passed.
    // Both it and its child die with us: it would not hand the signal on.
    let mut limited = Command::new("timeout");
    limited.args(["--kill-after=2", &format!("{}", limit.as_secs_f64())]);
    append(&mut limited, &dying_with_us(command));
    let mut wrapped = dying_with_us(&limited);
    let output = wrapped
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    if matches!(output.status.code(), Some(124 | 137)) {
        bail!(
            "{}: no end after {:.1} s\n{}",
            shown(command),
            limit.as_secs_f64(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output)
}

fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
