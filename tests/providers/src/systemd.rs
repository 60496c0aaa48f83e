//! A machine that a real systemd has booted: the first process of namespaces of its own, with control groups of its own. It
//! shares the network of this machine, so that its sshd is reached on loopback, and can write nothing but the test's folder.

use crate::process::Process;
use crate::site::TestSite;
use crate::tools::program;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Where the second version of control groups is, alone or beside the first.
const GROUPS: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

/// What systemd itself wants to be there.
const TARGETS: [&str; 4] = ["basic", "sysinit", "shutdown", "timers"];

/// The machine. Dropping it kills all that runs in it.
pub struct Systemd {
    process: Option<Process>,
    folder: PathBuf,
    group: PathBuf,
}

impl Systemd {
    /// Boots a machine with this boot id and these service units, which are started.
    ///
    /// # Panics
    /// When it is not up within 20 s; needs root.
    pub fn boot(site: &TestSite, boot_id: &str, services: &[(&str, &str)]) -> Self {
        let groups = GROUPS
            .iter()
            .map(Path::new)
            .find(|path| path.join("cgroup.procs").exists())
            .expect("this machine has no control groups of the second version mounted");
        let name = site.folder().file_name().unwrap().to_string_lossy();
        let machine = Systemd {
            process: None,
            folder: site.folder().to_owned(),
            group: groups.join(format!("wreimage-test-{}", name.trim_start_matches('.'))),
        };
        let units = site.path("units");
        std::fs::create_dir_all(&units).unwrap();
        let mut wants = String::new();
        for (name, text) in services {
            std::fs::write(units.join(name), text).unwrap();
            wants.push_str(&format!("Wants={name}\n"));
        }
        for name in TARGETS {
            let text = "[Unit]\nDefaultDependencies=no\n";
            std::fs::write(units.join(format!("{name}.target")), text).unwrap();
        }
        let text = format!("[Unit]\n{wants}");
        std::fs::write(units.join("default.target"), text).unwrap();
        site.write("boot.sh", include_str!("boot.sh"));
        machine.up(boot_id)
    }

    fn up(mut self, boot_id: &str) -> Self {
        program("systemd-run", "systemd");
        std::fs::write(self.folder.join("boot-id"), format!("{boot_id}\n")).unwrap();
        std::fs::create_dir_all(&self.group).unwrap();
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "echo $$ > \"$1/cgroup.procs\" && exec unshare --pid --mount --uts --ipc --cgroup --fork --kill-child \
                 --mount-proc sh \"$2/boot.sh\" \"$2\"",
                "sh",
            ])
            .arg(&self.group)
            .arg(&self.folder);
        let mut process = Process::start(&command, &self.folder.join("systemd.log"));
        let folder = self.folder.clone();
        let up = || {
            let state = enter(&folder, process.id(), &["systemctl", "is-system-running"]);
            state.is_some_and(|it| {
                let state = String::from_utf8_lossy(&it.stdout).into_owned();
                matches!(state.trim(), "running" | "degraded")
            })
        };
        let end = Instant::now() + Duration::from_secs(20);
        while !up() {
            assert!(
                Instant::now() < end,
                "systemd did not boot (these tests need root): {}",
                process.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        process.wait_until("systemd", |_| true);
        self.process = Some(process);
        self
    }

    /// Cuts its power and boots it anew.
    #[must_use]
    pub fn restart(mut self, boot_id: &str) -> Self {
        self.off();
        self.up(boot_id)
    }

    /// Cuts its power.
    pub fn off(&mut self) {
        self.process = None;
        // The control groups go when the last process has gone.
        let end = Instant::now() + Duration::from_secs(10);
        while remove(&self.group).is_err() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Words that, before a command, run it in the machine.
    pub fn inside(&self) -> Vec<String> {
        let id = self.process.as_ref().map_or(0, Process::id);
        let id = first_process(id).expect("the machine is off");
        ["nsenter", "-t", &id.to_string(), "-m", "-p", "--"]
            .map(str::to_owned)
            .to_vec()
    }

    /// Runs a command in the machine.
    pub fn run(&self, argv: &[&str]) -> Output {
        let id = self.process.as_ref().map_or(0, Process::id);
        enter(&self.folder, id, argv).expect("the machine is off")
    }

    /// What a command in the machine prints.
    pub fn says(&self, argv: &[&str]) -> String {
        String::from_utf8_lossy(&self.run(argv).stdout)
            .trim()
            .to_owned()
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        self.off();
    }
}

/// The child of `unshare`, which the process with this id has become.
fn first_process(unshare: u32) -> Option<u32> {
    let path = format!("/proc/{unshare}/task/{unshare}/children");
    let children = std::fs::read_to_string(path).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn enter(folder: &Path, unshare: u32, argv: &[&str]) -> Option<Output> {
    let id = first_process(unshare)?;
    // Not before it has namespaces of its own.
    let name = std::fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
    if name.trim() != "systemd" {
        return None;
    }
    let mut command = Command::new("nsenter");
    command
        .args(["-t", &id.to_string(), "-m", "-p", "--"])
        .args(argv)
        .current_dir(folder);
    Some(command.output().unwrap())
}

/// Removes a control group and those below it.
fn remove(group: &Path) -> std::io::Result<()> {
    if !group.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    std::fs::remove_dir(group)
}
