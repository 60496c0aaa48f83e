//! The install server: the DHCP automation, and the SSH by which one comes to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::dhcp::{Dhcpd, SERVICE};
use crate::keys::Keys;
use crate::namespaces::Namespace;
use crate::network::INSTALL_ADDRESS;
use crate::preflight;
use crate::process::Process;
use crate::template::{directory, fill, template, text, write};

/// Name of the install server.
pub const FQDN: &str = "install1001.rig.test";
/// The snippet folder below the automation directory.
pub const SNIPPET_FOLDER: &str = "ttyS1-115200";
const LIMIT: Duration = Duration::from_secs(10);

/// Something that goes wrong on the install server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// dhcpd is stopped and does not come back: `dhcpincludes` ends with 2.
    Restart,
    /// `dhcpincludes` writes its files, fails unexpectedly, and ends with 0.
    Exception,
}

impl Fault {
    fn file(self) -> &'static str {
        match self {
            Self::Restart => "fault-restart",
            Self::Exception => "fault-exception",
        }
    }
}

/// Where everything of the install server is; the paths are the same for those
/// who come by SSH, since a network namespace shares the files.
#[derive(Debug)]
pub struct InstallServer {
    directory: PathBuf,
    systemctl: PathBuf,
    dhcpd: Arc<Dhcpd>,
    _sshd: Process,
}

impl InstallServer {
    pub(crate) fn start(
        install: &Namespace,
        work: &Path,
        systemctl: &Path,
        keys: &Keys,
    ) -> Result<Self> {
        let path = directory(work.join("install-server"))?;
        let dhcpd = Arc::new(Dhcpd::new(install, &path, &path.join("dhcpd.conf"))?);
        let server = Self {
            _sshd: start_sshd(install, &path, keys)?,
            directory: path,
            systemctl: systemctl.to_owned(),
            dhcpd,
        };
        server.write_automation()?;
        server.dhcpd.restart()?;
        Ok(server)
    }

    fn write_automation(&self) -> Result<()> {
        directory(self.snippets())?;
        directory(self.automation().join("proxies"))?;
        directory(self.directory.join("sbin"))?;
        write(&self.proxy_file(), "# Nothing is included yet\n", 0o644)?;
        let proxy = self.proxy_file();
        let values = [("proxy_file", text(&proxy)?)];
        write(
            &self.dhcpd_configuration(),
            fill(template!("dhcpd.conf"), &values)?,
            0o644,
        )?;
        write(&self.dhcpincludes(), template!("dhcpincludes"), 0o755)?;
        let dhcpd = preflight::find("dhcpd").context("no dhcpd")?;
        let configuration = serde_json::json!({
            "service-name": SERVICE,
            "dhcpd": dhcpd,
            "dhcpd.conf": self.dhcpd_configuration(),
            "paths": [{ "path": self.snippets(), "file": self.proxy_file() }],
            "systemctl": self.systemctl,
            "lock": self.directory.join("dhcpincludes.lock"),
            "faults": self.directory,
        });
        let file = self.directory.join("dhcpincludes.yaml");
        write(&file, format!("{configuration:#}\n"), 0o644)
    }

    /// `HOST:PORT` of its sshd, whose user is `root`.
    pub fn ssh_address(&self) -> String {
        format!("{INSTALL_ADDRESS}:22")
    }

    /// The automation directory (`/etc/dhcp/automation` of a real one).
    pub fn automation(&self) -> PathBuf {
        self.directory.join("automation")
    }

    /// The folder of the snippets, [`SNIPPET_FOLDER`] below the automation directory.
    pub fn snippets(&self) -> PathBuf {
        self.automation().join(SNIPPET_FOLDER)
    }

    /// The file with the include lines.
    pub fn proxy_file(&self) -> PathBuf {
        self.automation()
            .join(format!("proxies/{SNIPPET_FOLDER}.conf"))
    }

    /// The configuration of dhcpd.
    pub fn dhcpd_configuration(&self) -> PathBuf {
        self.directory.join("dhcpd.conf")
    }

    /// The `dhcpincludes` program; it finds its configuration by itself.
    pub fn dhcpincludes(&self) -> PathBuf {
        self.directory.join("sbin/dhcpincludes")
    }

    /// A program that knows `show`, `is-active` and `restart` of [`SERVICE`] as
    /// `systemctl` does.
    pub fn systemctl(&self) -> &Path {
        &self.systemctl
    }

    /// The command that tells whether dhcpd runs and since when.
    pub fn status_command(&self) -> Vec<String> {
        vec![
            self.systemctl.display().to_string(),
            "show".to_owned(),
            "--property=ActiveState,MainPID,ActiveEnterTimestampMonotonic".to_owned(),
            SERVICE.to_owned(),
        ]
    }

    /// The daemon.
    pub fn dhcpd(&self) -> &Dhcpd {
        &self.dhcpd
    }

    /// The daemon, for the thread that answers to `systemctl`.
    pub(crate) fn shared_dhcpd(&self) -> Arc<Dhcpd> {
        Arc::clone(&self.dhcpd)
    }

    /// Lets something go wrong from now on.
    ///
    /// # Errors
    ///
    /// The file that stands for the fault cannot be written.
    pub fn inject(&self, fault: Fault) -> Result<()> {
        write(&self.directory.join(fault.file()), "", 0o644)
    }

    /// Ends a fault.
    ///
    /// # Errors
    ///
    /// The fault was not injected.
    pub fn clear(&self, fault: Fault) -> Result<()> {
        fs::remove_file(self.directory.join(fault.file()))
            .with_context(|| format!("{fault:?} was not injected"))
    }

    /// Whether `systemctl restart` has to fail.
    pub(crate) fn restart_fault(&self) -> PathBuf {
        self.directory.join(Fault::Restart.file())
    }
}

fn start_sshd(install: &Namespace, path: &Path, keys: &Keys) -> Result<Process> {
    let authorized = path.join("authorized_keys");
    write(
        &authorized,
        format!("{}\n", keys.install_server.line()),
        0o600,
    )?;
    let configuration = path.join("sshd_config");
    let values = [
        ("host_key", text(keys.install_server_host.private())?),
        ("authorized_keys", text(&authorized)?),
    ];
    write(
        &configuration,
        fill(template!("sshd_config"), &values)?,
        0o644,
    )?;
    // Its privilege separation directory is compiled in; a boot makes it on a real server.
    directory("/run/sshd")?;
    let program = preflight::find("sshd").context("no sshd")?;
    let mut command = install.command(program);
    command.args(["-D", "-e", "-f"]).arg(&configuration);
    let mut sshd = Process::start("sshd", &command, &path.join("sshd.log"))?;
    sshd.wait_ready(LIMIT, |said| said.contains("Server listening on"))?;
    Ok(sshd)
}
