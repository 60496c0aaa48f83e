//! The automation folder of an install server: where a host's snippet is, and what the scripts have to know of it.

use super::table::{self, DhcpTable};
use crate::install_server::{Answer, InstallServer, LIBRARY, Lane, Script, encode};
use crate::lease::{CLAIMS, LeaseFolder, set_claim};
use crate::ssh::quote;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::{Call, Fault};

/// Functions that all scripts of the automation share.
pub(super) const AUTOMATION: &str = include_str!("automation.sh");
const LOOK: &str = include_str!("look.sh");
const PUBLISH: &str = include_str!("publish.sh");
const WITHDRAW: &str = include_str!("withdraw.sh");
const EXPIRE: &str = include_str!("expire.sh");
const CHECK: &str = include_str!("check.sh");

/// Of a read, a check.
const QUICK: Duration = Duration::from_secs(25);
/// How long another writer is waited for. A publication takes some seconds, most of them the DHCP server's restart.
pub(super) const WAIT: Duration = Duration::from_secs(40);
/// After this long the holder of the lock is named.
const PATIENT: Duration = Duration::from_secs(2);
/// What a publication needs besides the lock and two runs of the include tool: two waits for the DHCP server, and the
/// timer.
const BESIDES: Duration = Duration::from_secs(40);
/// A longer snippet is not read.
const MOST_BYTES: u64 = 1 << 20;

/// The folder, the program that joins its snippets into the configuration, and the daemon that reads them.
pub(super) struct Automation {
    pub(super) server: Arc<InstallServer>,
    folder: String,
    snippets: String,
    proxy: String,
    include: Vec<String>,
    running: Vec<String>,
    started: Vec<String>,
    timeout: Duration,
    host: String,
    /// `None` when the site wants none.
    expiry: Option<Expiry>,
    /// `None` where controllers are not ordered.
    pub(super) lease: Option<Arc<LeaseFolder>>,
}

/// How a site has entries expire.
pub(super) struct Expiry {
    pub(super) after: Duration,
    schedule: Vec<String>,
    scheduled: Vec<String>,
    unschedule: Vec<String>,
}

/// An entry to be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) host: String,
    /// ID of the run, encoded.
    pub(super) run: String,
    pub(super) path: String,
    pub(super) schedule: String,
    pub(super) scheduled: String,
}

/// What is withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The entry that the run has published.
    Run,
    /// Whatever entry the host has.
    Host,
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Mode::Run => "run",
            Mode::Host => "host",
        }
    }
}

impl Expiry {
    /// `None` when the site wants none.
    fn new(table: &DhcpTable, host: &str, state: &str) -> Option<Self> {
        let table::Expiry::After(after) = table.expiry else {
            return None;
        };
        let script = format!("{state}/{host}.sh");
        let fill = |words: &[String]| -> Vec<String> {
            let filled = |word: &String| word.replace("{host}", host).replace("{script}", &script);
            words.iter().map(filled).collect()
        };
        Some(Expiry {
            after: after.0,
            schedule: fill(&table.schedule),
            scheduled: fill(&table.scheduled),
            unschedule: fill(&table.unschedule),
        })
    }

    /// The program that starts the timer.
    pub(super) fn scheduler(&self) -> &str {
        self.schedule.first().map_or("", String::as_str)
    }

    /// How often a run renews that is being driven: some renewals may fail before the entry goes.
    pub(super) fn interval(&self) -> Duration {
        (self.after / 4).min(Duration::from_secs(900))
    }
}

/// The controller's name, for those who wait.
fn controller() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

impl Automation {
    pub(super) fn new(
        table: &DhcpTable,
        server: Arc<InstallServer>,
        lease: Option<Arc<LeaseFolder>>,
        host: &str,
    ) -> Self {
        let proxy = table
            .proxy
            .clone()
            .unwrap_or_else(|| format!("proxies/{}.conf", table.snippets));
        let folder = table.folder();
        let state = state(&folder);
        Automation {
            server,
            expiry: Expiry::new(table, host, &state),
            folder,
            snippets: table.snippets.clone(),
            proxy,
            include: table.include.clone(),
            running: table.running.clone(),
            started: table.started.clone(),
            timeout: table.timeout.0,
            host: host.to_owned(),
            lease,
        }
    }

    /// The snippet's place inside the automation folder. The host's name is one label, so it leads nowhere else.
    pub(super) fn location(&self) -> String {
        format!("{}/{}.conf", self.snippets, self.host)
    }

    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.folder, self.location())
    }

    /// Where lock and records are kept. No include tool looks for snippets in there.
    pub(super) fn state(&self) -> String {
        state(&self.folder)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn expiry(&self) -> Option<&Expiry> {
        self.expiry.as_ref()
    }

    /// Names the install server in faults.
    pub(super) fn system(&self) -> String {
        self.server.system()
    }

    pub(super) fn program(&self) -> &str {
        self.include.first().map_or("", String::as_str)
    }

    pub(super) fn rejected(&self, code: &str, message: String) -> Fault {
        Fault::rejected(code, self.system(), message)
    }

    /// A script with what every one of them uses.
    fn script(&self, body: &str, run: &str) -> Script {
        let path = |name: &str| format!("{}/{name}", self.folder);
        Script::new(&[LIBRARY, AUTOMATION, CLAIMS, body])
            .set("state", &self.state())
            .set("entries", &path(&self.snippets))
            .set("proxy", &path(&self.proxy))
            .set("host", &self.host)
            .set("run", &encode(run))
            .set("entry", &self.path())
    }

    /// The functions that run the site's commands.
    fn with_commands(&self, script: Script) -> Script {
        let none: Vec<String> = vec!["true".to_owned()];
        let (schedule, scheduled, unschedule) = match &self.expiry {
            Some(expiry) => (&expiry.schedule, &expiry.scheduled, &expiry.unschedule),
            None => (&none, &none, &none),
        };
        let limit = self.timeout.as_secs().max(1);
        let include = quote(&self.include);
        script
            .function(
                "include",
                &format!("timeout --foreground -k 5 {limit} {include}"),
            )
            .command("running", &self.running)
            .command("started", &self.started)
            .command("schedule", schedule)
            .command("scheduled", scheduled)
            .command("unschedule", unschedule)
    }

    /// The variables of a script that waits for the lock of the automation and looks at the run's claim.
    fn with_claim(&self, script: Script, call: &Call) -> Script {
        let seconds = |it: Duration| it.as_secs().to_string();
        let who = format!("run {} for {} on {}", call.run, self.host, controller());
        let claim = call.claim.as_ref().filter(|_| self.lease.is_some());
        let folder = self.lease.as_ref().map_or("", |lease| lease.path());
        let script = script
            .set("who", &who.replace('\n', " "))
            .set("patient", &seconds(PATIENT))
            .set("most", &seconds(WAIT - PATIENT))
            .set("leased", if claim.is_some() { "yes" } else { "no" });
        set_claim(script.set("lease", folder), claim)
    }

    /// How long a script may take that runs the include tool.
    fn slow(&self) -> Duration {
        WAIT + self.timeout * 2 + BESIDES
    }

    async fn run_slow(&self, script: &Script, call: &Call) -> Result<Answer, Fault> {
        let waits = |holder: &str| {
            call.progress(format!(
                "waiting for {}: its DHCP automation is being changed by {holder}",
                self.system()
            ));
        };
        self.server
            .run(Lane::Slow, script, self.slow(), waits)
            .await
    }

    /// The script that the timer of the install server runs.
    fn timer(&self) -> String {
        let script = Script::new(&["#!/bin/sh", LIBRARY, AUTOMATION, EXPIRE])
            .set("proc", self.server.proc())
            .set("state", &self.state())
            .set("host", &self.host);
        self.with_commands(script).text()
    }

    /// Reads the host's snippet.
    pub(super) async fn look(&self, run: &str) -> Result<Answer, Fault> {
        let script = self
            .script(LOOK, run)
            .set("most_bytes", &MOST_BYTES.to_string());
        self.server.run(Lane::Quick, &script, QUICK, |_| {}).await
    }

    /// Publishes a snippet.
    pub(super) async fn publish(
        &self,
        call: &Call,
        text: &str,
        digest: &str,
    ) -> Result<Answer, Fault> {
        let period = self.expiry.as_ref().map_or("never".to_owned(), |expiry| {
            expiry.after.as_millis().to_string()
        });
        let timer = match &self.expiry {
            Some(_) => STANDARD.encode(self.timer()),
            None => String::new(),
        };
        let script = self
            .script(PUBLISH, &call.run)
            .set("snippet", &STANDARD.encode(text))
            .set("digest", digest)
            .set("period", &period)
            .set("timer", &timer);
        let script = self.with_claim(self.with_commands(script), call);
        self.run_slow(&script, call).await
    }

    /// Takes an entry out.
    pub(super) async fn withdraw(&self, call: &Call, mode: Mode) -> Result<Answer, Fault> {
        let script = self.script(WITHDRAW, &call.run).set("mode", mode.word());
        let script = self.with_claim(self.with_commands(script), call);
        self.run_slow(&script, call).await
    }

    /// Checks that what the site file names is there.
    pub(super) async fn check(&self) -> Result<Answer, Fault> {
        let mut programs = vec![self.program()];
        programs.extend([
            "flock",
            "timeout",
            "base64",
            "sha256sum",
            "stat",
            "sync",
            "grep",
            "sed",
            "find",
        ]);
        let (scheduler, by) = match &self.expiry {
            Some(expiry) => {
                let all = [&expiry.schedule, &expiry.scheduled, &expiry.unschedule];
                let first = |argv: &Vec<String>| argv.first().cloned().unwrap_or_default();
                let all: Vec<String> = all.into_iter().map(first).collect();
                (all.join("\n"), first(&expiry.schedule))
            }
            None => (String::new(), String::new()),
        };
        let script = self
            .script(CHECK, "")
            .set("folder", &self.folder)
            .set("programs", &programs.join("\n"))
            .set("scheduler", &scheduler)
            .set("schedule_by", &by);
        let script = self.with_commands(script);
        let lease = self.lease.as_ref();
        let script = script
            .set("lease", lease.map_or("", |lease| lease.path()))
            .set("leased", if lease.is_some() { "yes" } else { "no" });
        let script = set_claim(script, None);
        self.server
            .run(Lane::Quick, &script, QUICK + self.timeout, |_| {})
            .await
    }

    /// What a renewal needs to know of this host: the script's call for it, and the commands of its timer.
    pub(super) fn renewal(&self, run: &str) -> Entry {
        let (schedule, scheduled) = match &self.expiry {
            Some(expiry) => (quote(&expiry.schedule), quote(&expiry.scheduled)),
            None => ("true".to_owned(), "true".to_owned()),
        };
        Entry {
            host: self.host.clone(),
            run: encode(run),
            path: self.path(),
            schedule,
            scheduled,
        }
    }
}

fn state(folder: &str) -> String {
    format!("{folder}/.wreimage")
}
