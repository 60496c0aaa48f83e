//! Servers as child processes that never outlive the test.

use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; dropping it kills it and its process group.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a server; its output goes to `log`. The kernel kills it when the test's thread ends.
    pub fn start(command: &Command, log: &Path) -> Self {
        let output = File::create(log).unwrap();
        let mut wrapped = Command::new(crate::tools::program("setpriv", "util-linux"));
        wrapped
            .args(["--pdeathsig", "KILL", "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0);
        Process {
            child: wrapped.spawn().unwrap(),
            log: log.to_owned(),
        }
    }

    /// Its process id; `setpriv` has become the server.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it is ready.
    ///
    /// # Panics
    /// When that takes longer than 20 s, or it ends before.
    pub fn wait_until(&mut self, what: &str, ready: impl Fn(&str) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !ready(&self.log()) {
            assert!(
                matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end,
                "{what} did not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
