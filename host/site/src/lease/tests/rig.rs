//! An install server in a folder, whose scripts are run by this machine's shell.

use crate::dhcp::set_claim;
use crate::install_server::{AUTOMATION, InstallServer, LIBRARY, Lane, Script, Transport, encode};
use crate::lease::{CLAIMS, InstallServerLease, LeaseFolder};
use crate::tables::{DhcpTable, LeaseTable};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use wreimage_capability::lease::{
    Acquire, Claim, ClaimState, ClaimedHost, ControllerId, FORMAT, HeldClaim, JournalMark, Right,
    Token,
};
use wreimage_capability::{BoxFuture, Fault};

/// Time to live of the tests' claims, in milliseconds.
pub(super) const TTL: u64 = 10_000;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is executed and answered.
    Deliver,
    /// It is executed, and the answer is lost.
    LoseAnswer,
    /// It never arrives.
    LoseRequest,
    /// It is executed later; no answer comes.
    Late,
    /// The script is killed before its n-th step.
    Kill(u32),
    /// The script is stopped before its n-th step, and continues later; no answer comes.
    Stop(u32),
}

/// Functions that take the place of the steps: `sync` is left out, as nothing here loses power. Nobody waits for a lock.
const PLAYED: &str = r#"
ticks=0
tick() {
    ticks=$((ticks + 1))
    [ "$ticks" != "$at" ] || kill -"$signal" $$
}
mv() { tick; command mv "$@"; }
rm() { tick; command rm "$@"; }
sync() { tick; }
flock() { for last do :; done; command flock -n "$last"; }
"#;

/// The way to the server.
#[derive(Default)]
pub(super) struct Way {
    /// What becomes of the next message.
    pub(super) fate: Mutex<Option<Fate>>,
    late: Mutex<Vec<String>>,
    stopped: Mutex<Vec<Child>>,
    /// What delivered scripts wrote to their standard error.
    pub(super) errors: Mutex<String>,
}

fn spawn(script: &str) -> Child {
    let mut child = Command::new("sh")
        .arg("-s")
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A script that ends early does not read the rest.
    let _ = stdin.write_all(script.as_bytes());
    child
}

fn is_stopped(id: u32) -> Option<bool> {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let state = status.rsplit(')').next()?.trim().chars().next()?;
    match state {
        'T' => Some(true),
        'Z' | 'X' => None,
        _ => Some(false),
    }
}

impl Way {
    fn play(&self, script: String) -> Result<Vec<u8>, Fault> {
        let fate = self.fate.lock().unwrap().take().unwrap_or(Fate::Deliver);
        let none = || Fault::unreachable("dhcp.unreachable", "played", "no answer");
        let (at, signal) = match fate {
            Fate::Kill(at) => (at, "KILL"),
            Fate::Stop(at) => (at, "STOP"),
            _ => (0, "KILL"),
        };
        let script = format!("at={at} signal={signal}{PLAYED}{script}");
        match fate {
            Fate::LoseRequest => return Err(none()),
            Fate::Late => {
                self.late.lock().unwrap().push(script);
                return Err(none());
            }
            Fate::Stop(_) => {
                let mut child = spawn(&script);
                while is_stopped(child.id()) == Some(false) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                if is_stopped(child.id()) == Some(true) {
                    self.stopped.lock().unwrap().push(child);
                } else {
                    let _ = child.wait();
                }
                return Err(none());
            }
            _ => {}
        }
        let output = spawn(&script).wait_with_output().unwrap();
        match fate {
            Fate::Deliver => {
                let errors = String::from_utf8_lossy(&output.stderr);
                self.errors.lock().unwrap().push_str(&errors);
                Ok(output.stdout)
            }
            // One that ended before that step was answered, and the answer was lost.
            _ => Err(none()),
        }
    }

    /// Executes a message that was late, and lets a script continue that was stopped; whether there was one.
    pub(super) fn catch_up(&self) -> bool {
        let late = self.late.lock().unwrap().pop();
        if let Some(script) = &late {
            let _ = spawn(script).wait_with_output();
        }
        let stopped = self.stopped.lock().unwrap().pop();
        let any = late.is_some() || stopped.is_some();
        if let Some(child) = stopped {
            let id = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process(id, rustix::process::Signal::CONT);
            let _ = child.wait_with_output();
        }
        any
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        for mut child in self.stopped.lock().unwrap().drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

struct Played(Arc<Way>);

impl Transport for Played {
    fn send(&self, script: String) -> BoxFuture<'_, Result<Vec<u8>, Fault>> {
        async move { self.0.play(script) }.boxed()
    }
}

/// An edit of the scripts: a text and what takes its place.
pub(super) type Edit = (&'static str, &'static str);

/// The install server.
pub(super) struct Rig {
    folder: TempDir,
    pub(super) way: Arc<Way>,
    pub(super) lease: InstallServerLease,
    pub(super) server: Arc<InstallServer>,
    edits: Vec<Edit>,
    boot: u64,
    /// When the server booted, and what time it is, in milliseconds.
    booted: u64,
    pub(super) now: u64,
    copies: u32,
}

fn apply(edits: &[Edit], text: String) -> String {
    edits
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}

impl Rig {
    /// One whose folder was created long ago, with these edits of its scripts.
    pub(super) async fn new(edits: &[Edit]) -> Self {
        for (from, _) in edits {
            let all = [
                CLAIMS,
                super::super::REQUESTS,
                include_str!("../../dhcp/publish.sh"),
            ];
            assert!(
                all.iter().any(|it| it.contains(from)),
                "no script has {from:?}"
            );
        }
        let mut rig = Rig::empty(edits);
        rig.lease
            .0
            .create(Some(Duration::from_millis(TTL)))
            .await
            .unwrap();
        rig.pass(2 * TTL);
        rig
    }

    /// One without a lease folder.
    pub(super) fn empty(edits: &[Edit]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("proc/sys/kernel/random")).unwrap();
        std::fs::create_dir_all(path("auto/snippets")).unwrap();
        std::fs::write(path("started"), "1\n").unwrap();
        std::fs::write(path("auto/proxy.conf"), "").unwrap();
        let way = Arc::<Way>::default();
        let proc = path("proc").display().to_string();
        let server = Arc::new(InstallServer::played(Arc::new(Played(way.clone())), proc));
        let dhcp: DhcpTable = toml::from_str(&format!(
            "provider = \"dhcpincludes\"\nfolder = {:?}",
            path("auto")
        ))
        .unwrap();
        let site = Path::new("site.toml");
        let mut lease = LeaseFolder::new(server.clone(), &dhcp, &LeaseTable::default(), site);
        let own = edits.to_vec();
        lease.edit = Some(Arc::new(move |text| apply(&own, text)));
        let rig = Rig {
            folder,
            way,
            lease: InstallServerLease(Arc::new(lease)),
            server,
            edits: edits.to_vec(),
            boot: 1,
            booted: 0,
            now: 1_000_000,
            copies: 0,
        };
        rig.write_clock();
        rig
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn lease_folder(&self) -> PathBuf {
        self.path("auto/.wreimage-lease")
    }

    fn write_clock(&self) {
        let uptime = (self.now - self.booted) / 10;
        let text = format!("{}.{:02} 1.00\n", uptime / 100, uptime % 100);
        std::fs::write(self.path("proc/uptime"), text).unwrap();
        let boot = format!("boot-{}\n", self.boot);
        std::fs::write(self.path("proc/sys/kernel/random/boot_id"), boot).unwrap();
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.write_clock();
    }

    /// The server restarts, which ends what runs there.
    pub(super) fn restart(&mut self) {
        for mut child in self.way.stopped.lock().unwrap().drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.boot += 1;
        self.booted = self.now - 10;
        self.write_clock();
    }

    /// Copies the lease folder as a backup does.
    pub(super) fn back_up(&mut self) {
        self.copies += 1;
        let to = self.path(&format!("backup-{}", self.copies));
        copy(&self.lease_folder(), &to);
    }

    /// Puts the last copy in the place of the folder; whether there was one.
    pub(super) fn restore(&self) -> bool {
        let from = self.path(&format!("backup-{}", self.copies));
        if from.exists() {
            self.lose();
            copy(&from, &self.lease_folder());
        }
        from.exists()
    }

    /// The folder is gone.
    pub(super) fn lose(&self) {
        let _ = std::fs::remove_dir_all(self.lease_folder());
    }

    /// The next message has this fate.
    pub(super) fn next(&self, fate: Fate) {
        *self.way.fate.lock().unwrap() = Some(fate);
    }

    /// Runs a script about the entry of a host as the DHCP provider does; the status of the answer.
    async fn entry(&self, body: &str, claim: &HeldClaim, more: &[(&str, &str)]) -> Option<String> {
        let path = |name: &str| self.path(name).display().to_string();
        let mut script = Script::new(&[LIBRARY, AUTOMATION, CLAIMS, body])
            .set("state", &path("auto/.wreimage"))
            .set("entries", &path("auto/snippets"))
            .set("proxy", &path("auto/proxy.conf"))
            .set("host", "host1")
            .set("entry", &path("auto/snippets/host1.conf"))
            .set("run", &encode(&claim.run))
            .set("who", "a test")
            .set("patient", "0")
            .set("most", "0")
            .set("leased", "yes")
            .set("lease", &self.lease_folder().display().to_string())
            .function(
                "include",
                &format!(
                    "for it in {0}/*.conf; do [ ! -e \"$it\" ] || echo \"include \\\"$it\\\";\"; done > {1}; echo $(($(cat {2}) \
                     + 1)) > {2}",
                    path("auto/snippets"),
                    path("auto/proxy.conf"),
                    path("started")
                ),
            )
            .command("running", &["true"])
            .command("started", &["cat", &path("started")])
            .command("schedule", &["true"])
            .command("scheduled", &["true"])
            .command("unschedule", &["true"]);
        for (name, value) in more {
            script = script.set(name, value);
        }
        let script = set_claim(script, Some(claim));
        let edits = self.edits.clone();
        let script = script.edited(&move |text| apply(&edits, text));
        let limit = Duration::from_secs(60);
        let answer = self.server.run(Lane::Slow, &script, limit, |_| {}).await;
        answer.ok().map(|answer| answer.status)
    }

    /// Publishes an entry whose text names its run.
    pub(super) async fn publish(&self, claim: &HeldClaim) -> Option<String> {
        let text = format!("# {} {}\n", claim.run, claim.token);
        let digest = crate::digest::sha256(text.as_bytes());
        let more = [
            ("snippet", STANDARD.encode(&text)),
            ("digest", digest),
            ("period", "7200000".to_owned()),
            ("timer", STANDARD.encode("true\n")),
        ];
        let more: Vec<(&str, &str)> = more.iter().map(|it| (it.0, it.1.as_str())).collect();
        self.entry(include_str!("../../dhcp/publish.sh"), claim, &more)
            .await
    }

    pub(super) async fn withdraw(&self, claim: &HeldClaim) -> Option<String> {
        let body = include_str!("../../dhcp/withdraw.sh");
        self.entry(body, claim, &[("mode", "run")]).await
    }

    /// The run and the token of the entry that is there.
    pub(super) fn published(&self) -> Option<(String, String)> {
        let text = std::fs::read_to_string(self.path("auto/snippets/host1.conf")).ok()?;
        let (run, token) = text.trim_start_matches("# ").trim().split_once(' ')?;
        Some((run.to_owned(), token.to_owned()))
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("claims")).unwrap();
    for name in ["", "claims"] {
        let Ok(entries) = std::fs::read_dir(from.join(name)) else {
            continue;
        };
        for entry in entries.flatten().filter(|it| it.path().is_file()) {
            std::fs::copy(entry.path(), to.join(name).join(entry.file_name())).unwrap();
        }
    }
}

/// The machine of the tests.
pub(super) fn host(fqdn: &str) -> ClaimedHost {
    ClaimedHost {
        fqdn: fqdn.to_owned(),
        serial: Some("ABC 1".to_owned()),
        ..ClaimedHost::default()
    }
}

/// A request to begin.
pub(super) fn request(run: &str, token: &str, over: Option<&str>, right: Right) -> Acquire {
    Acquire {
        claim: Claim {
            format: FORMAT,
            host: host("host1.lab1.test"),
            run: run.to_owned(),
            token: Token(token.to_owned()),
            state: ClaimState::Held,
            controller: controller(run, 1),
            actor: "an operator".to_owned(),
            uid: 1000,
            phase: "validate".to_owned(),
            acquisition: 0,
            journal: JournalMark {
                length: 1,
                sum: "a1".to_owned(),
            },
        },
        over: over.map(|token| Token(token.to_owned())),
        right,
    }
}

pub(super) fn controller(name: &str, lock_inode: u64) -> ControllerId {
    ControllerId {
        name: name.to_owned(),
        boot_id: format!("boot of {name}"),
        lock_inode,
    }
}

/// The claim of a request, as its holder proves it.
pub(super) fn held(request: &Acquire) -> HeldClaim {
    HeldClaim {
        host: request.claim.host.clone(),
        run: request.claim.run.clone(),
        token: request.claim.token.clone(),
        phase: "install".to_owned(),
        journal: request.claim.journal.clone(),
    }
}
