//! Programs that are started: each has a deadline and can be stopped.

use crate::KitError;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How often a program is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long the rest of the output of a program that has ended is waited for.
const REST: Duration = Duration::from_secs(2);
/// More output than this of a program is dropped.
const LARGEST: usize = 1 << 20;

/// Ends programs before their deadline.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Nobody wants it yet.
    pub fn new() -> Self {
        Stop::default()
    }

    /// What runs is killed, and nothing else is started.
    pub fn now(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_wanted(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Until when programs may run, and who can end them before.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub(crate) deadline: Duration,
    pub(crate) stop: Stop,
}

impl Bounds {
    /// `deadline` is that of each program.
    pub fn new(deadline: Duration, stop: Stop) -> Self {
        Bounds { deadline, stop }
    }

    /// Runs a program to its end. What it says goes to standard error; standard input is empty.
    pub(crate) fn run(&self, command: &mut Command) -> Result<(), KitError> {
        command.stdin(Stdio::null()).stdout(std::io::stderr());
        let shown = shown(command);
        let mut group = Group::start(command)?;
        let status = self.wait(&mut group, &shown)?;
        succeeded(status, shown)
    }

    /// Runs a program to its end and returns what it wrote to standard output.
    pub(crate) fn output(&self, command: &mut Command) -> Result<String, KitError> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let shown = shown(command);
        let mut group = Group::start(command)?;
        let mut pipe = group.child.stdout.take();
        let (pieces, output) = sync_channel(1);
        // Ends with the pipe, which a process can hold open that has left the group.
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Some(count) = pipe.as_mut().and_then(|it| it.read(&mut buffer).ok()) {
                let piece = buffer.get(..count).unwrap_or_default().to_vec();
                if piece.is_empty() || pieces.send(piece).is_err() {
                    return;
                }
            }
        });
        let mut bytes = Vec::new();
        // False when there is no more.
        let mut take = |longest: Duration| {
            let end = Instant::now() + longest;
            loop {
                match output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                    Ok(piece) => {
                        let room = LARGEST.saturating_sub(bytes.len()).min(piece.len());
                        bytes.extend_from_slice(piece.get(..room).unwrap_or_default());
                    }
                    Err(why) => return why == RecvTimeoutError::Timeout,
                }
                if Instant::now() >= end {
                    return true;
                }
            }
        };
        let status = self.wait_while(&mut group, &shown, || {
            if !take(LOOK) {
                std::thread::sleep(LOOK);
            }
        })?;
        succeeded(status, shown)?;
        take(REST);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn wait(&self, group: &mut Group, shown: &str) -> Result<ExitStatus, KitError> {
        self.wait_while(group, shown, || std::thread::sleep(LOOK))
    }

    /// Does something short again and again meanwhile.
    fn wait_while(
        &self,
        group: &mut Group,
        shown: &str,
        mut meanwhile: impl FnMut(),
    ) -> Result<ExitStatus, KitError> {
        let began = Instant::now();
        let lost = |error: std::io::Error| KitError::Wrong(format!("{shown} is lost: {error}"));
        loop {
            if group.has_ended().map_err(lost)? {
                return group.end().map_err(lost);
            }
            if self.stop.is_wanted() {
                return Err(KitError::Stopped);
            }
            if began.elapsed() >= self.deadline {
                return Err(KitError::TimedOut {
                    program: shown.to_owned(),
                    seconds: self.deadline.as_secs(),
                });
            }
            meanwhile();
        }
    }
}

/// A program and all that it starts. At its end, or when it is dropped before, what is left of them is killed.
struct Group {
    child: Child,
    leader: Option<Pid>,
    ended: bool,
}

impl Group {
    fn start(command: &mut Command) -> Result<Self, KitError> {
        command.process_group(0);
        let child = command.spawn().map_err(|error| {
            KitError::Wrong(format!("{} cannot be started: {error}", shown(command)))
        })?;
        Ok(Group {
            leader: i32::try_from(child.id()).ok().and_then(Pid::from_raw),
            child,
            ended: false,
        })
    }

    /// Whether the program itself has ended. It keeps its number until [`end`](Group::end).
    fn has_ended(&self) -> std::io::Result<bool> {
        let Some(leader) = self.leader else {
            return Ok(true);
        };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(leader), look)?.is_some())
    }

    fn end(&mut self) -> std::io::Result<ExitStatus> {
        if let (Some(leader), false) = (self.leader, self.ended) {
            // All of them may have ended.
            let _gone = kill_process_group(leader, Signal::KILL);
        }
        self.ended = true;
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            let _reaped = self.end();
        }
    }
}

fn succeeded(status: ExitStatus, program: String) -> Result<(), KitError> {
    if status.success() {
        Ok(())
    } else {
        Err(KitError::Failed {
            program,
            how: status.to_string(),
        })
    }
}

/// The command as a person would type it, without the environment.
fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Bounds, Stop};
    use crate::KitError;
    use std::process::Command;
    use std::time::{Duration, Instant};

    fn bounds(millis: u64) -> Bounds {
        Bounds::new(Duration::from_millis(millis), Stop::new())
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_is_heard_and_its_failure_is_told() {
        let said = bounds(60_000).output(&mut shell("echo yes")).unwrap();
        assert_eq!(said, "yes\n");
        let failed = bounds(60_000).run(&mut shell("exit 3")).unwrap_err();
        assert!(failed.to_string().contains("exit status: 3"), "{failed}");
        let none = bounds(60_000).run(&mut Command::new("/no/such/program"));
        assert!(matches!(none, Err(KitError::Wrong(_))));
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let began = Instant::now();
        let late = bounds(500).run(&mut shell(&script)).unwrap_err();
        assert!(matches!(late, KitError::TimedOut { .. }), "{late}");
        assert!(began.elapsed() < Duration::from_secs(60));
        let pid: u32 = std::fs::read_to_string(&file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let status = format!("/proc/{pid}/status");
        let dead = || match std::fs::read_to_string(&status) {
            Ok(text) => text.contains("Z (zombie)"),
            Err(_) => true,
        };
        while !dead() {
            assert!(began.elapsed() < Duration::from_secs(60), "{pid} lives");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn what_a_program_leaves_behind_holds_up_nobody() {
        let began = Instant::now();
        let said = bounds(60_000).output(&mut shell("sleep 600 & echo yes"));
        assert_eq!(said.unwrap(), "yes\n");
        assert!(began.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_process_that_has_left_the_group_holds_up_nobody() {
        let began = Instant::now();
        let said = bounds(60_000).output(&mut shell("setsid sleep 30 & echo yes"));
        assert_eq!(said.unwrap(), "yes\n");
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn output_has_a_bound() {
        let said = bounds(60_000).output(&mut shell("head -c 3000000 /dev/zero"));
        assert_eq!(said.unwrap().len(), super::LARGEST);
        let late = bounds(500).output(&mut shell("exec yes")).unwrap_err();
        assert!(matches!(late, KitError::TimedOut { .. }), "{late}");
    }

    #[test]
    fn a_program_can_be_stopped() {
        let bounds = bounds(60_000);
        bounds.stop.now();
        let stopped = bounds.run(&mut shell("sleep 600")).unwrap_err();
        assert!(matches!(stopped, KitError::Stopped), "{stopped}");
    }
}
