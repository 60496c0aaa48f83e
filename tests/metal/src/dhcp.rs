//! ISC dhcpd of the install server, as a service that can be restarted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::clock::now;
use crate::namespaces::Namespace;
use crate::process::Process;
use crate::sync::lock;
use crate::template::write;

/// What the service is called.
pub const SERVICE: &str = "isc-dhcp-server";
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Running {
    process: Process,
    since: Timestamp,
    /// Microseconds since the boot of this machine.
    since_boot: u64,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    starts: u32,
}

/// The daemon.
#[derive(Debug)]
pub struct Dhcpd {
    install: Namespace,
    directory: PathBuf,
    configuration: PathBuf,
    state: Mutex<State>,
}

impl Dhcpd {
    /// Does not start it.
    pub(crate) fn new(install: &Namespace, directory: &Path, configuration: &Path) -> Result<Self> {
        write(&directory.join("dhcpd.leases"), "", 0o644)?;
        Ok(Self {
            install: install.clone(),
            directory: directory.to_owned(),
            configuration: configuration.to_owned(),
            state: Mutex::default(),
        })
    }

    /// Stops it if it runs, and starts it.
    ///
    /// # Errors
    ///
    /// It does not start: then it does not run, as with systemd.
    pub fn restart(&self) -> Result<()> {
        let mut state = lock(&self.state);
        stop(&mut state);
        state.starts += 1;
        // It believes a pid file, even one whose process is a zombie.
        let _ = fs::remove_file(self.directory.join("dhcpd.pid"));
        let mut command = self.install.command("dhcpd");
        command.args(["-4", "-f", "-d"]);
        command.arg("-cf").arg(&self.configuration);
        command.arg("-lf").arg(self.directory.join("dhcpd.leases"));
        command
            .arg("-pf")
            .arg(self.directory.join("dhcpd.pid"))
            .arg("eth0");
        let log = self.log_file(state.starts);
        let mut process = Process::start("dhcpd", &command, &log)?;
        process.wait_ready(LIMIT, |said| said.contains("Server starting service."))?;
        state.running = Some(Running {
            process,
            since: now(),
            since_boot: microseconds_since_boot()?,
        });
        Ok(())
    }

    /// Stops it.
    pub fn stop(&self) {
        stop(&mut lock(&self.state));
    }

    /// Since when it runs, if it does.
    pub fn running_since(&self) -> Option<Timestamp> {
        let state = lock(&self.state);
        let running = state.running.as_ref()?;
        running.process.seems_running().then_some(running.since)
    }

    /// How often it was started.
    pub fn starts(&self) -> u32 {
        lock(&self.state).starts
    }

    /// Its log over all starts.
    pub fn log(&self) -> String {
        (1..=self.starts())
            .map(|start| fs::read_to_string(self.log_file(start)).unwrap_or_default())
            .collect()
    }

    fn log_file(&self, start: u32) -> PathBuf {
        self.directory.join(format!("dhcpd.{start}.log"))
    }

    /// What `systemctl ARGUMENTS` says of it, and its exit status.
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> (i32, String) {
        let options: Vec<&str> = arguments
            .iter()
            .filter(|a| a.starts_with('-'))
            .copied()
            .collect();
        let words: Vec<&str> = arguments
            .iter()
            .filter(|a| !a.starts_with('-'))
            .copied()
            .collect();
        let [verb, unit] = words.as_slice() else {
            return (1, format!("systemctl {arguments:?}: VERB UNIT expected"));
        };
        if unit.trim_end_matches(".service") != SERVICE {
            return (5, format!("Unit {unit} not found."));
        }
        match *verb {
            "restart" => match self.restart() {
                Ok(()) => (0, String::new()),
                Err(error) => (1, format!("Job for {SERVICE}.service failed: {error:#}")),
            },
            "is-active" if self.running_since().is_some() => (0, "active".to_owned()),
            "is-active" => (3, "inactive".to_owned()),
            "show" => (0, self.show(&options)),
            other => (1, format!("Unknown operation {other}.")),
        }
    }

    /// `systemctl show`, with `--property=A,B` and `--value`.
    fn show(&self, options: &[&str]) -> String {
        let state = lock(&self.state);
        let running = state
            .running
            .as_ref()
            .filter(|one| one.process.seems_running());
        let (active, sub) = if running.is_some() {
            ("active", "running")
        } else {
            ("failed", "failed")
        };
        let since = running.map(|one| one.since.strftime("%a %Y-%m-%d %H:%M:%S UTC").to_string());
        let monotonic = running.map_or(0, |one| one.since_boot).to_string();
        let properties = [
            ("ActiveState", active.to_owned()),
            ("SubState", sub.to_owned()),
            (
                "MainPID",
                running.map_or(0, |one| one.process.pid()).to_string(),
            ),
            ("ActiveEnterTimestamp", since.clone().unwrap_or_default()),
            ("ActiveEnterTimestampMonotonic", monotonic.clone()),
            ("ExecMainStartTimestamp", since.unwrap_or_default()),
            ("ExecMainStartTimestampMonotonic", monotonic),
        ];
        let wanted: Vec<&str> = options
            .iter()
            .filter_map(|o| {
                o.strip_prefix("--property=")
                    .or_else(|| o.strip_prefix("-p"))
            })
            .flat_map(|list| list.split(','))
            .collect();
        let bare = options.contains(&"--value");
        properties
            .iter()
            .filter(|(name, _)| wanted.is_empty() || wanted.contains(name))
            .map(|(name, value)| {
                if bare {
                    value.clone()
                } else {
                    format!("{name}={value}")
                }
            })
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn stop(state: &mut State) {
    if let Some(mut running) = state.running.take() {
        running.process.stop();
    }
}

fn microseconds_since_boot() -> Result<u64> {
    let text = fs::read_to_string("/proc/uptime")?;
    let seconds: &str = text.split_whitespace().next().unwrap_or_default();
    let Some((whole, hundredths)) = seconds.split_once('.') else {
        bail!("/proc/uptime says {text:?}");
    };
    let whole: u64 = whole.parse().context("/proc/uptime")?;
    let hundredths: u64 = hundredths.parse().context("/proc/uptime")?;
    Ok(whole * 1_000_000 + hundredths * 10_000)
}
