//! The live provider of `dhcp`: a snippet file a host, and the program `dhcpincludes`, which joins them into the
//! configuration of ISC DHCP. Its exit status is not enough: after an unexpected error it says success.

use super::entry::snippet;
use super::render::matched_value;
use super::server::{Far, Ran, Removed, Server};
use crate::digest::sha256;
use crate::site::Site;
use crate::ssh::{Login, Patience};
use crate::tables::{BootTable, DhcpTable};
use crate::target::Target;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wreimage_capability::dhcp::{Entry, Provider, Published};
use wreimage_capability::{Call, Fault, FaultKind};

/// How long the daemon may take to show that it was started again, after the include tool has ended.
const START: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(200);

/// Speaks to one install server about one host.
pub(crate) struct DhcpIncludes {
    server: Server,
    target: Target,
    folder: String,
    snippets: String,
    proxy: String,
    include: Vec<String>,
    running: Vec<String>,
    started: Vec<String>,
    timeout: Duration,
    boot: BootTable,
    /// Digest of what was written and not yet published: to be withdrawn even when the answer never came.
    written: Mutex<Option<String>>,
    /// The last run of the include tool was not seen to succeed: what the daemon serves may not be what the folder has.
    unsettled: AtomicBool,
}

impl DhcpIncludes {
    pub(crate) fn new(site: &Site, table: &DhcpTable, target: &Target) -> Self {
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
                    connect: Duration::from_secs(10),
                    login: Duration::from_secs(20),
                },
                connection: Default::default(),
            }))
        });
        let proxy = table
            .proxy
            .clone()
            .unwrap_or_else(|| format!("proxies/{}.conf", table.snippets));
        DhcpIncludes {
            server,
            target: target.clone(),
            folder: table
                .folder
                .to_string_lossy()
                .trim_end_matches('/')
                .to_owned(),
            snippets: table.snippets.clone(),
            proxy,
            include: table.include.clone(),
            running: table.running.clone(),
            started: table.started.clone(),
            timeout: table.timeout.0,
            boot: table.boot.clone(),
            written: Mutex::default(),
            unsettled: AtomicBool::new(false),
        }
    }

    /// The snippet's place inside the automation folder. The host's name is one label, so it leads nowhere else.
    fn location(&self) -> String {
        format!("{}/{}.conf", self.snippets, self.target.host)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.folder, self.location())
    }

    fn published(&self, text: String) -> Published {
        Published {
            location: self.location(),
            digest: sha256(text.as_bytes()),
            matches: matched_value(&text),
            text,
            extra: Vec::new(),
        }
    }

    fn remember(&self, digest: Option<String>) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = digest;
    }

    fn remembered(&self) -> Option<String> {
        self.written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn rejected(&self, code: &str, message: String) -> Fault {
        Fault::rejected(code, self.server.system(), message)
    }

    /// What the site's command prints about the daemon's last start. Without it nothing proves a restart.
    async fn start_mark(&self) -> Result<String, Fault> {
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
    async fn include(&self, listed: bool, before: Result<String, Fault>) -> Result<(), Fault> {
        // Before the tool runs, for a call that is given up halfway.
        self.unsettled.store(true, Ordering::Relaxed);
        let ran = self.server.run(&self.include, self.timeout).await?;
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
        self.unsettled.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn proxy(&self) -> String {
        format!("{}/{}", self.folder, self.proxy)
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
    async fn include_without(&self, call: &Call) -> Result<(), Fault> {
        let before = self.start_mark().await;
        let Err(first) = self.include(false, before).await else {
            return Ok(());
        };
        call.progress(format!("running the include tool again: {}", first.message));
        let before = self.start_mark().await;
        self.include(false, before).await.map_err(|mut fault| {
            fault.message = format!(
                "{} is removed, but the DHCP server still has it: {}",
                self.path(),
                fault.message
            );
            fault
        })
    }

    /// Takes out what was just written, so that the next run of the include tool by anybody is not refused because of it.
    async fn take_out(&self, digest: &str) -> Result<(), Fault> {
        match self.server.remove(&self.path(), digest).await? {
            // Even when somebody else removed it: the include tool has just failed over it.
            Removed::Yes | Removed::Absent => {
                let before = self.start_mark().await;
                self.include(false, before).await
            }
            Removed::Other => Err(self.foreign()),
        }
    }

    fn foreign(&self) -> Fault {
        Fault::conflict(
            "dhcp.not-ours",
            self.server.system(),
            format!(
                "{} on {} is not the entry that this run wrote; it stays. Find out whose it is before you remove it",
                self.path(),
                self.server.system()
            ),
        )
    }

    /// The server can be reached, and what the site file names is there.
    pub(crate) async fn check(&self) -> Result<String, Fault> {
        let script = "test -d \"$1\" || { echo \"there is no folder $1\"; exit 1; }; test -w \"$1\" || { echo \"$1 cannot be \
                      written\"; exit 1; }; command -v \"$2\" >/dev/null || { echo \"there is no program $2\"; exit 1; }";
        let folder = format!("{}/{}", self.folder, self.snippets);
        let program = self.include.first().map_or("", String::as_str);
        let argv = ["sh", "-c", script, "sh", &folder, program];
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

    pub(crate) fn system(&self) -> String {
        self.server.system()
    }
}

impl Provider for DhcpIncludes {
    async fn get_published(&self, _call: &Call) -> Result<Option<Published>, Fault> {
        let text = self.server.read(&self.path()).await?;
        Ok(text.map(|text| self.published(text)))
    }

    async fn publish(&self, call: &Call, entry: Entry) -> Result<Published, Fault> {
        let system = self.server.system();
        let inventory = self.target.inventory.as_ref().ok_or_else(|| {
            Fault::not_found(
                "dhcp.no-inventory",
                system.clone(),
                "the site file names no inventory (`netbox.inventory`), and the DHCP entry needs the host's address and \
                 what the server matches",
            )
        })?;
        // Read anew: the address may have changed since the run began.
        let host = inventory.entry(&self.target.host)?;
        let snippet = snippet(&self.target.host, &entry, &host, &self.boot, &system)?;
        let text = snippet.text();
        let digest = sha256(text.as_bytes());
        if let Some(old) = self.server.read(&self.path()).await?
            && old != text
        {
            call.progress(format!(
                "replacing another entry of this host in {} ({})",
                self.location(),
                matched_value(&old)
            ));
        }
        // Before anything is written: without a mark nothing could prove that the entry is served.
        let before = self.start_mark().await?;
        self.remember(Some(digest.clone()));
        self.server.write(&self.path(), &text, &digest).await?;
        let Err(first) = self.include(true, Ok(before)).await else {
            let mut published = self.published(text);
            published.matches = snippet.matches.value().to_owned();
            return Ok(published);
        };
        call.progress(format!("taking the entry out again: {}", first.message));
        let mut fault = first;
        match self.take_out(&digest).await {
            Ok(()) => {
                self.remember(None);
                fault.message = format!(
                    "{}. The entry is taken out again, and the DHCP server runs",
                    fault.message
                );
            }
            Err(second) => {
                fault.message = format!(
                    "{}. Taking the entry out again failed too: {}. Look at {} on {system}",
                    fault.message,
                    second.message,
                    self.path()
                );
                // Another kind might say that the call had no effect.
                fault.kind = FaultKind::Rejected;
                fault = fault.with("left", self.path());
            }
        }
        Err(fault)
    }

    async fn withdraw(&self, call: &Call) -> Result<bool, Fault> {
        let made = call
            .made
            .clone()
            .and_then(|made| serde_json::from_value::<Published>(made).ok())
            .map(|published| published.digest);
        let digest = made.or_else(|| self.remembered());
        let removed = match &digest {
            Some(digest) => self.server.remove(&self.path(), digest).await?,
            None if self.server.read(&self.path()).await?.is_none() => Removed::Absent,
            None => Removed::Other,
        };
        match removed {
            Removed::Other => return Err(self.foreign()),
            Removed::Yes => {}
            // The file alone does not tell: an earlier withdrawal may have ended between it and the daemon.
            Removed::Absent => {
                let left = digest.is_some()
                    && (self.unsettled.load(Ordering::Relaxed) || self.is_listed().await?);
                if !left {
                    return Ok(false);
                }
            }
        }
        self.include_without(call).await?;
        self.remember(None);
        Ok(true)
    }
}
