//! The automation folder of an install server: where a host's snippet is, and whether the DHCP server serves what the folder
//! has.

use super::expiry::Expiry;
use super::lock::Held;
use super::server::{Far, Ran, Removed, Server};
use crate::site::Site;
use crate::ssh::{Login, Patience};
use crate::tables::DhcpTable;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wreimage_capability::{Call, Fault};

/// How long the daemon may take to show that it was started again, after the include tool has ended.
const START: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(200);

/// Whether a removed entry is one that the daemon may still serve.
const NOTED: &str = "grep -qsxF -e \"$1\" \"$2\"";
/// After a run of the include tool that is seen to have done its work: what is still included stays noted.
const SETTLE: &str = "f=\"$1/unsettled\"; test -e \"$f\" || exit 0; set -e; while read -r entry proxy; do if test ! -e \
                      \"$entry\" && grep -qsF \"\\\"$entry\\\";\" \"$proxy\"; then echo \"$entry $proxy\"; fi; done < \"$f\" > \
                      \"$f.new\"; if test -s \"$f.new\"; then mv -f \"$f.new\" \"$f\"; else rm -f \"$f\" \"$f.new\"; fi";

/// The folder, the program that joins its snippets into the configuration, and the daemon that reads them.
pub(super) struct Automation {
    pub(super) server: Server,
    folder: String,
    snippets: String,
    proxy: String,
    include: Vec<String>,
    running: Vec<String>,
    started: Vec<String>,
    timeout: Duration,
    host: String,
    /// `None` when the site wants none.
    pub(super) expiry: Option<Expiry>,
    /// The last run of the include tool was not seen to succeed: what the daemon serves may not be what the folder has.
    unsettled: AtomicBool,
}

/// No include tool looks for snippets in there.
fn state(folder: &str) -> String {
    format!("{folder}/.wreimage")
}

impl Automation {
    pub(super) fn new(site: &Site, table: &DhcpTable, host: &str) -> Self {
        let server = table.server.as_ref().map_or(Server::Local, |server| {
            let key = site.resolve(&server.key);
            let passphrase = site.secrets.install_server.clone();
            Server::Ssh(Box::new(Far {
                host: server.host.clone(),
                port: server.port,
                names: site.names(),
                login: Login::new(&server.user, key, passphrase),
                known_hosts: site.resolve(&server.known_hosts),
                patience: Patience {
                    connect: Duration::from_secs(5),
                    login: Duration::from_secs(10),
                },
                connection: Default::default(),
            }))
        });
        let proxy = table
            .proxy
            .clone()
            .unwrap_or_else(|| format!("proxies/{}.conf", table.snippets));
        let folder = table.folder.to_string_lossy();
        let folder = folder.trim_end_matches('/').to_owned();
        Automation {
            server,
            expiry: Expiry::new(table, host, &state(&folder)),
            folder,
            snippets: table.snippets.clone(),
            proxy,
            include: table.include.clone(),
            running: table.running.clone(),
            started: table.started.clone(),
            timeout: table.timeout.0,
            host: host.to_owned(),
            unsettled: AtomicBool::new(false),
        }
    }

    /// The snippet's place inside the automation folder. The host's name is one label, so it leads nowhere else.
    pub(super) fn location(&self) -> String {
        format!("{}/{}.conf", self.snippets, self.host)
    }

    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.folder, self.location())
    }

    pub(super) fn proxy(&self) -> String {
        format!("{}/{}", self.folder, self.proxy)
    }

    /// Where lock and deadlines are kept.
    pub(super) fn state(&self) -> String {
        state(&self.folder)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The include tool, what tells whether the daemon runs and when it was started, and how long the first may take.
    pub(super) fn commands(&self) -> (&[String], &[String], &[String], Duration) {
        (&self.include, &self.running, &self.started, self.timeout)
    }

    pub(super) async fn lock(&self, call: &Call) -> Result<Held, Fault> {
        self.server.lock(&self.state(), &self.host, call).await
    }

    /// Names the install server in faults.
    pub(super) fn system(&self) -> String {
        self.server.system()
    }

    pub(super) fn rejected(&self, code: &str, message: String) -> Fault {
        Fault::rejected(code, self.system(), message)
    }

    /// The text of the host's snippet.
    pub(super) async fn read(&self) -> Result<Option<String>, Fault> {
        self.server.read(&self.path()).await
    }

    pub(super) async fn write(&self, held: &Held, text: &str, digest: &str) -> Result<(), Fault> {
        self.server.write(held, &self.path(), text, digest).await
    }

    pub(super) async fn remove(&self, held: &Held, digest: &str) -> Result<Removed, Fault> {
        let (state, proxy) = (self.state(), self.proxy());
        self.server
            .remove(held, &self.path(), digest, &state, &proxy)
            .await
    }

    /// Whether the daemon may still serve a snippet that is gone: a withdrawal may have ended between the two.
    pub(super) async fn is_left(&self) -> Result<bool, Fault> {
        if self.unsettled.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let line = format!("{} {}", self.path(), self.proxy());
        let file = format!("{}/unsettled", self.state());
        let noted = self.server.script(NOTED, &[&line, &file]).await?;
        Ok(noted.ok() || self.is_listed().await?)
    }

    /// What the site's command prints about the daemon's last start. Without it nothing proves a restart.
    pub(super) async fn start_mark(&self) -> Result<String, Fault> {
        let ran = self.server.small(&self.started).await?;
        if ran.ok() {
            return Ok(ran.stdout.trim().to_owned());
        }
        Err(self.rejected(
            "dhcp.no-start-mark",
            format!(
                "the command `dhcp.started` of the site file fails ({}), so nothing tells whether the DHCP server was \
                 restarted",
                ran.told()
            ),
        ))
    }

    /// Runs the include tool and makes sure by what it left that it did its work. `before` is the start mark of the daemon
    /// that ran until now; a fault in its place is reported only when the tool has done its work: a folder that lost a
    /// file must not stay with a proxy that lists it.
    pub(super) async fn include(
        &self,
        held: &Held,
        listed: bool,
        before: Result<String, Fault>,
    ) -> Result<(), Fault> {
        // Before the tool runs, for a call that is given up halfway.
        self.unsettled.store(true, Ordering::Relaxed);
        let ran = self
            .server
            .fenced(held, &self.include, self.timeout)
            .await?;
        let program = self.include.first().map_or("", String::as_str);
        match ran.status {
            Some(0) => {}
            Some(2) => {
                return Err(self.rejected(
                    "dhcp.restart-failed",
                    format!(
                        "`{program}` could not restart the DHCP server: {}",
                        ran.told()
                    ),
                ));
            }
            _ => {
                return Err(self.rejected(
                    "dhcp.refused",
                    format!("`{program}` refused the configuration: {}", ran.told()),
                ));
            }
        }
        self.check_listed(listed, &ran).await?;
        self.check_started(&before?, &ran).await?;
        let settled = self
            .server
            .fenced_script(held, SETTLE, &[&self.state()])
            .await?;
        if !settled.ok() {
            let state = self.state();
            return Err(self.rejected(
                "dhcp.file",
                format!("{state}/unsettled cannot be written: {}", settled.told()),
            ));
        }
        self.unsettled.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn is_listed(&self) -> Result<bool, Fault> {
        let text = self.server.read(&self.proxy()).await?.unwrap_or_default();
        let path = self.path();
        Ok(text.lines().any(|line| {
            let file = line.trim().strip_prefix("include").map(str::trim_start);
            file.and_then(|it| it.strip_prefix('"')?.strip_suffix("\";")) == Some(path.as_str())
        }))
    }

    async fn check_listed(&self, wanted: bool, ran: &Ran) -> Result<(), Fault> {
        if self.is_listed().await? == wanted {
            return Ok(());
        }
        let state = if wanted {
            "does not list"
        } else {
            "still lists"
        };
        Err(self.rejected(
            "dhcp.not-included",
            format!(
                "the include tool said success, but {} {state} {}: {}",
                self.proxy(),
                self.path(),
                ran.told()
            ),
        ))
    }

    async fn check_started(&self, before: &str, ran: &Ran) -> Result<(), Fault> {
        let end = Instant::now() + START;
        loop {
            let running = self.server.small(&self.running).await?;
            let now = self.start_mark().await;
            if running.ok() && now.as_ref().is_ok_and(|now| now != before) {
                return Ok(());
            }
            if Instant::now() >= end {
                let message = if running.ok() {
                    now?;
                    format!(
                        "the include tool said success, but the DHCP server was not started again since, so it serves \
                         the old configuration: {}",
                        ran.told()
                    )
                } else {
                    format!(
                        "the DHCP server does not run: {}; start it, the whole site needs it",
                        running.told()
                    )
                };
                return Err(self.rejected("dhcp.not-reloaded", message));
            }
            sleep(POLL).await;
        }
    }

    /// Runs the include tool after the file is gone, and once more when that fails.
    pub(super) async fn include_without(&self, held: &Held, call: &Call) -> Result<(), Fault> {
        let before = self.start_mark().await;
        let Err(first) = self.include(held, false, before).await else {
            return Ok(());
        };
        call.progress(format!("running the include tool again: {}", first.message));
        let before = self.start_mark().await;
        let again = self.include(held, false, before).await;
        again.map_err(|mut fault| {
            fault.message = format!(
                "{} is removed, but the DHCP server still has it: {}",
                self.path(),
                fault.message
            );
            fault
        })
    }

    /// Takes out what was just written, so that the next run of the include tool by anybody is not refused because of it.
    pub(super) async fn take_out(&self, held: &Held, digest: &str) -> Result<(), Fault> {
        match self.remove(held, digest).await? {
            // Even when somebody else removed it: the include tool has just failed over it.
            Removed::Yes | Removed::Absent => {
                let before = self.start_mark().await;
                self.include(held, false, before).await
            }
            Removed::Other => Err(self.foreign()),
        }
    }

    pub(super) fn foreign(&self) -> Fault {
        Fault::conflict(
            "dhcp.not-ours",
            self.system(),
            format!(
                "{} on {} is not the entry that this run wrote; it stays. Find out whose it is before you remove it",
                self.path(),
                self.system()
            ),
        )
    }

    /// The server can be reached, and what the site file names is there.
    pub(super) async fn check(&self) -> Result<String, Fault> {
        let script = "for d in \"$1\" \"$2\"; do test -d \"$d\" || { echo \"there is no folder $d\"; exit 1; }; test -w \
                      \"$d\" || { echo \"$d cannot be written\"; exit 1; }; done; shift 2; for p; do command -v \"$p\" \
                      >/dev/null || { echo \"there is no program $p\"; exit 1; }; done";
        let folder = format!("{}/{}", self.folder, self.snippets);
        let program = self.include.first().map_or("", String::as_str);
        let argv = [
            "sh",
            "-c",
            script,
            "sh",
            &self.folder,
            &folder,
            program,
            "flock",
            "timeout",
            "base64",
            "sha256sum",
        ];
        let ran = self.server.run(&argv, self.timeout).await?;
        if !ran.ok() {
            return Err(self.rejected(
                "dhcp.incomplete",
                format!("{}; correct [dhcp] in the site file", ran.stdout.trim()),
            ));
        }
        let running = self.server.small(&self.running).await?;
        if !running.ok() {
            return Err(self.rejected(
                "dhcp.not-running",
                format!("the DHCP server does not run: {}", running.told()),
            ));
        }
        self.start_mark().await?;
        Ok(format!(
            "{folder} and {program} are there, the DHCP server runs"
        ))
    }
}
