//! Running `wreimage` on the rig, with a site file for it.
#![allow(dead_code)] // Not every test program needs all of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use wreimage_metal::Rig;
use wreimage_metal::clock::{Timestamp, seconds_between};
use wreimage_metal::machine::{FQDN, MAC, NAME, SERIAL, UUID};
use wreimage_metal::process::{Process, run_any};

/// A whole reimage of the machine must end within this.
const RUN: Duration = Duration::from_secs(400);

/// What `[lab]` can stand in for.
const SERVICES: &str = "\"puppet\", \"puppet-ca\", \"puppetdb\", \"icinga\", \"alertmanager\", \"conftool\", \
                        \"debmonitor\", \"httpbb\", \"phabricator\", \"http\"";

/// What differs from the plain site file of the rig.
#[derive(Default)]
pub struct Site {
    /// The DHCP entry is published in the lab, so nothing is served.
    pub dhcp_from_lab: bool,
    /// The systems around the machine are the lab's; else the site does not have them.
    pub services_from_lab: bool,
    /// Another password than the BMC's.
    pub password: Option<String>,
    /// Of a second controller, the name of its operator's home; the first one's home is the folder of the rig.
    pub home: Option<&'static str>,
}

impl Site {
    /// Writes site file, inventory and password; returns the site file.
    fn write(&self, rig: &Rig) -> Result<PathBuf> {
        let folder = rig.directory().join("site");
        std::fs::create_dir_all(&folder)?;
        let password = match &self.password {
            Some(password) => {
                let file = folder.join("password");
                std::fs::write(&file, password)?;
                let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                std::fs::set_permissions(&file, own)?;
                file
            }
            None => rig.bmc().password_file().to_owned(),
        };
        let inventory = format!(
            "[hosts.{NAME}]\nstatus = \"active\"\nfqdn = \"{FQDN}\"\nserial = \"{SERIAL}\"\nmachine-uuid = \"{UUID}\"\n\
             primary-ip = \"10.64.0.10\"\nmac = \"{MAC}\"\n\
             switch-port = {{ switch = \"asw1-rig\", port = \"ge-0/0/1\", vlan = \"private1-rig\" }}\n"
        );
        std::fs::write(folder.join("inventory.toml"), inventory)?;
        let file = folder.join("site.toml");
        std::fs::write(&file, self.text(rig, &password))?;
        if !self.dhcp_from_lab {
            settle_lease(rig, &file)?;
        }
        Ok(file)
    }

    fn text(&self, rig: &Rig, password: &Path) -> String {
        let install = rig.install_server();
        let keys = rig.keys();
        let show = |path: &Path| path.display().to_string();
        let status = install.status_command();
        let systemctl = show(install.systemctl());
        let service = status.last().cloned().unwrap_or_default();
        let dhcp = if self.dhcp_from_lab {
            "[dhcp]\nprovider = \"lab\"\n".to_owned()
        } else {
            format!(
                "[dhcp]\nprovider = \"dhcpincludes\"\nfolder = {folder:?}\nexpiry = \"none\"\ninclude = [{include:?}, \"-r\", \"commit\"]\n\
                 running = [{systemctl:?}, \"is-active\", {service:?}]\nstarted = {status:?}\n\
                 [lease]\nttl = \"60s\"\n\
                 [dhcp.server]\nhost = \"10.64.255.2\"\nuser = \"root\"\nkey = {key:?}\nknown-hosts = {known:?}\n\
                 [dhcp.boot.pxelinux-http]\n\
                 pathprefix = \"http://10.64.255.2/tftpboot/{{distribution}}-{{media}}/\"\n",
                folder = show(&install.automation()),
                include = show(&install.dhcpincludes()),
                key = show(keys.install_server.private()),
                known = show(keys.known_hosts()),
            )
        };
        let services = if self.services_from_lab { SERVICES } else { "" };
        format!(
            "name = \"rig\"\ndomain = \"rig.test\"\nconsole = \"ipmitool -H {{management}} sol activate\"\n\
             [[grants]]\nguest = \"reimage\"\nhosts = [{NAME:?}]\n\
             capabilities = [\"netbox\", \"dns\", \"ipmi\", \"dhcp\", \"remote\", {services}]\n\
             [lab]\ncapabilities = [{services}]\n\
             [netbox]\nprovider = \"file\"\ninventory = \"inventory.toml\"\n\
             [dns]\nprovider = \"hosts\"\nhosts = {hosts:?}\n\
             [ipmi]\nprovider = \"ipmitool\"\nuser = \"root\"\npassword = {{ file = {password:?} }}\n\
             {dhcp}\
             [remote]\nprovider = \"russh\"\nconnect-timeout = \"300ms\"\n\
             [remote.installer]\nkey = {installer:?}\n\
             [remote.production]\nkey = {production:?}\nknown-hosts = {known:?}\n\
             [waits]\n\"remote.wait-for-boot\" = {{ interval = \"25ms\", deadline = \"200s\" }}\n",
            hosts = show(rig.hosts_file()),
            password = show(password),
            installer = show(keys.installer.private()),
            production = show(keys.production.private()),
            known = show(keys.known_hosts()),
        )
    }
}

/// One run and its events.
pub struct Run {
    pub code: i32,
    pub events: Vec<Value>,
    out: String,
    err: String,
}

impl Run {
    /// Reimages the machine of the rig.
    pub fn of(rig: &Rig, site: &Site, more: &[&str]) -> Result<Self> {
        let mut command = begin(rig, site)?;
        command.args(more);
        Self::to_its_end(&command)
    }

    /// Goes on with a run.
    pub fn resumed(rig: &Rig, site: &Site, id: &str) -> Result<Self> {
        Self::to_its_end(&resume(rig, site, id)?)
    }

    fn to_its_end(command: &Command) -> Result<Self> {
        let output = run_any(command, RUN)?;
        let out = String::from_utf8(output.stdout).context("stdout is not UTF-8")?;
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        let events: Vec<Value> = out
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .with_context(|| format!("{out}{err}"))?;
        ensure!(!events.is_empty(), "no events; {err}");
        Ok(Run {
            code: output.status.code().context("wreimage was killed")?,
            events,
            out,
            err,
        })
    }

    /// Everything that it printed.
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Outcomes of the guest's calls of this function, in order.
    pub fn outcomes(&self, function: &str) -> Vec<&Value> {
        self.events
            .iter()
            .filter(|event| event["event"] == "outcome" && event["function"] == function)
            .collect()
    }

    /// The last event.
    pub fn last(&self) -> &Value {
        self.events.last().unwrap_or(&Value::Null)
    }

    /// When an event was recorded.
    pub fn time_of(&self, event: &Value) -> Result<Timestamp> {
        Ok(event["time"]
            .as_str()
            .context("an event without time")?
            .parse()?)
    }

    /// When the intent of the call was recorded that an outcome belongs to.
    pub fn began(&self, outcome: &Value) -> Result<Timestamp> {
        let intent = self
            .events
            .iter()
            .find(|event| event["event"] == "intent" && event["call"] == outcome["call"])
            .context("an outcome without an intent")?;
        self.time_of(intent)
    }

    /// From the first event to the last.
    pub fn seconds(&self) -> Result<f64> {
        let first = self.events.first().context("no events")?;
        Ok(seconds_between(
            self.time_of(first)?,
            self.time_of(self.last())?,
        ))
    }
}

/// `wreimage` with this home, in which its state folder is.
fn program(rig: &Rig, home: Option<&str>) -> Result<Command> {
    let own = rig.directory();
    let home = home.map_or_else(|| own.to_owned(), |name| own.join(name));
    std::fs::create_dir_all(&home)?;
    let mut command = rig.command(built("target/release/wreimage")?);
    command
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("HOME", home);
    Ok(command)
}

/// Creates the lease folder of the install server, once, as if that had been long ago: no run acquires a host for one time
/// to live after it.
fn settle_lease(rig: &Rig, site: &Path) -> Result<()> {
    let folder = rig
        .install_server()
        .automation()
        .join(".wreimage-lease/folder");
    if folder.exists() {
        return Ok(());
    }
    let mut command = program(rig, None)?;
    command.args(["lock", "init", "--site"]).arg(site);
    let output = run_any(&command, Duration::from_secs(60))?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "no lease folder: {errors}");
    let text = std::fs::read_to_string(&folder)?;
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some(("uptime-ms", _)) => "uptime-ms=0\n".to_owned(),
        _ => format!("{line}\n"),
    });
    std::fs::write(&folder, lines.collect::<String>())?;
    Ok(())
}

fn begin(rig: &Rig, site: &Site) -> Result<Command> {
    let mut command = program(rig, site.home)?;
    command
        .arg("run")
        .arg(built("target/guests/reimage.wasm")?)
        .arg("--site")
        .arg(site.write(rig)?)
        .args(["--host", NAME, "--os", "bookworm", "--yes", NAME])
        .args(["--output", "json"]);
    Ok(command)
}

fn resume(rig: &Rig, site: &Site, id: &str) -> Result<Command> {
    let mut command = program(rig, site.home)?;
    command
        .args(["resume", id, "--output", "json", "--site"])
        .arg(site.write(rig)?);
    Ok(command)
}

/// A run that goes on while the test looks at the machine.
pub struct Going(Process);

impl Going {
    /// Begins a run.
    pub fn begin(rig: &Rig, site: &Site) -> Result<Self> {
        let log = rig.directory().join("begun.log");
        Ok(Going(Process::start("wreimage", &begin(rig, site)?, &log)?))
    }

    /// Goes on with one.
    pub fn resume(rig: &Rig, site: &Site, id: &str) -> Result<Self> {
        let log = rig.directory().join("resumed.log");
        Ok(Going(Process::start(
            "wreimage",
            &resume(rig, site, id)?,
            &log,
        )?))
    }

    /// Id of the run.
    pub fn id(&self) -> Result<String> {
        let said = self.0.output();
        let header = said.lines().find(|line| line.contains("\"header\""));
        let header: Value = serde_json::from_str(header.context("no header")?)?;
        Ok(header["run"].as_str().context("no id")?.to_owned())
    }

    /// Fails when it has ended.
    pub fn goes_on(&mut self) -> Result<()> {
        ensure!(self.0.is_running(), "wreimage ended: {}", self.0.output());
        Ok(())
    }

    /// Whether these words are among what it has printed.
    pub fn has_said(&self, words: &str) -> bool {
        self.0.output().contains(words)
    }

    /// As `kill -9`: it alone, at once.
    pub fn kill(mut self) -> Result<String> {
        self.goes_on()?;
        let pid = Pid::from_raw(self.0.pid().cast_signed()).context("no process")?;
        kill_process(pid, Signal::KILL)?;
        let said = self.0.output();
        Ok(said)
    }
}

/// What `wreimage lock ls` prints.
pub fn locks(rig: &Rig, site: &Site) -> Result<String> {
    let mut command = program(rig, site.home)?;
    command.args(["lock", "ls", "--site"]).arg(site.write(rig)?);
    let output = run_any(&command, Duration::from_secs(60))?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// `wreimage site check` on the rig.
pub fn check(rig: &Rig, site: &Site) -> Result<Output> {
    let site = site.write(rig)?;
    let mut command = rig.command(built("target/release/wreimage")?);
    command
        .args(["site", "check", "--host", NAME, "--site"])
        .arg(site);
    run_any(&command, Duration::from_secs(60))
}

/// Something that the build leaves in the repository.
fn built(path: &str) -> Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    path.canonicalize().with_context(|| {
        format!(
            "{} is missing: `cargo xtask test metal` builds it",
            path.display()
        )
    })
}
