//! An install server in a folder, whose scripts are run by this machine's shell.

use super::way::{Fate, Played, Way};
use crate::install_server::{InstallServer, LIBRARY, Lane, Script, encode};
use crate::lease::{CLAIMS, InstallServerLease, LeaseFolder, LeaseTable, set_claim};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use wreimage_capability::lease::HeldClaim;

/// Functions about the DHCP automation.
pub(super) const AUTOMATION: &str = include_str!("../../dhcp/automation.sh");

/// Time to live of the tests' claims, in milliseconds.
pub(super) const TTL: u64 = 10_000;

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
                LIBRARY,
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
        let server = Arc::new(InstallServer::new(Played(way.clone()), &proc));
        let auto = path("auto").display().to_string();
        let site = Path::new("site.toml");
        let mut lease = LeaseFolder::new(server.clone(), &auto, &LeaseTable::default(), site);
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
