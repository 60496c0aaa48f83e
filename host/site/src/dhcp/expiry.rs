//! An entry whose run has gone must not stay: a machine that boots from the network years later would be reinstalled. So the
//! install server takes it out by itself when it was not renewed for the time that the site file says.
//!
//! Beside the lock lies `HOST.expiry` with the deadline; to renew is to write a later one. A timer of the install server looks
//! at it each minute ([`SCRIPT`]), under the lock, and looks again when something did not work. The deadline is by the install
//! server's clock alone.

use super::automation::Automation;
use super::lock::Held;
use super::server::SMALL;
use crate::ssh::quote;
use crate::tables::{self, DhcpTable};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use std::time::Duration;
use wreimage_capability::{Call, Fault};

const SCRIPT: &str = include_str!("expire.sh");

/// Writes the script and the deadline; prints the deadline.
const ARM: &str = "set -e; f=\"$1/$2.expiry\"; s=\"$1/$2.sh\"; printf %s \"$8\" | base64 -d > \"$s.new\"; mv -f \"$s.new\" \
                   \"$s\"; d=$(($(date +%s) + $3)); printf '%s\\n' \"$d\" \"$4\" \"$5\" \"$6\" \"$7\" > \"$f.new\"; mv -f \
                   \"$f.new\" \"$f\"; echo \"$d\"";
/// Writes a later deadline, if the entry is this run's; prints it.
const RENEW: &str = "f=\"$1/$2.expiry\"; test -e \"$f\" || exit 44; exec 8>>\"$1/work\" || exit 1; flock -w 4 8 || exit 1; \
                     test -e \"$f\" || exit 44; { read -r old && read -r digest && read -r entry && read -r proxy && read -r \
                     run; } < \"$f\" || exit 1; test \"$run\" = \"$3\" || exit 44; d=$(($(date +%s) + $4)); printf '%s\\n' \
                     \"$d\" \"$digest\" \"$entry\" \"$proxy\" \"$run\" > \"$f.new\" && mv -f \"$f.new\" \"$f\" && echo \
                     \"$d\"";
/// Writes whose entry it is, where none expires.
const MARK: &str = "printf '%s\\n' \"$3\" \"$4\" > \"$1/$2.entry.new\" && mv -f \"$1/$2.entry.new\" \"$1/$2.entry\"";
/// Prints the digest of the entry that is this run's by what the two above have written.
const OWN: &str = "f=\"$1/$2.expiry\"; if test -e \"$f\" && test \"$(sed -n 5p \"$f\")\" = \"$3\"; then sed -n 2p \"$f\"; exit; \
                   fi; f=\"$1/$2.entry\"; if test -e \"$f\" && test \"$(sed -n 2p \"$f\")\" = \"$3\"; then sed -n 1p \"$f\"; exit; \
                   fi; exit 44";
/// Removes the deadline and the mark of an entry with this digest; of any, when none is given.
const DISARM: &str = "f=\"$1/$2.entry\"; if test -e \"$f\" && { test -z \"$3\" || test \"$(sed -n 1p \"$f\")\" = \"$3\"; }; then \
                      rm -f \"$f\"; fi; f=\"$1/$2.expiry\"; test -e \"$f\" || exit 0; test -z \"$3\" || test \"$(sed -n 2p \"$f\")\" = \"$3\" || \
                      exit 44; rm -f \"$f\"";
/// Exit status of those above: the entry is another run's, or has no deadline.
const NOT_OURS: i64 = 44;
/// Names the programs that are not there, and entries that should be gone for some minutes.
const CHECK: &str = "state=$1; shift; for p; do command -v \"$p\" >/dev/null || { echo \"there is no program $p\"; exit 1; }; \
                     done; case $1 in systemd-run|*/systemd-run) test -d /run/systemd/system || { echo \"systemd does not \
                     run there, and $1 needs it\"; exit 1; };; esac; now=$(date +%s); for f in \"$state\"/*.expiry; do test \
                     -e \"$f\" || continue; d=; read -r d < \"$f\"; test \"$now\" -lt \"$((d + 600))\" || { echo \"the time \
                     of the entry in $f is over, and nothing has taken it out (was the server restarted?): run sh \
                     ${f%.expiry}.sh there\"; exit 1; }; done; case $1 in systemd-run|*/systemd-run) systemctl is-enabled \
                     --quiet wreimage-dhcp-expiry.timer 2>/dev/null || echo \"but not after a restart of the server: it has \
                     no timer wreimage-dhcp-expiry, see 'When machines restart' in the book\";; esac";

/// How a site has entries expire.
pub(super) struct Expiry {
    after: Duration,
    schedule: Vec<String>,
    scheduled: Vec<String>,
    unschedule: Vec<String>,
}

/// `extra` of a published entry: when it expires.
pub(super) fn extra(expires: Option<Timestamp>) -> Vec<(String, String)> {
    expires
        .map(|time| ("expires".to_owned(), time.to_string()))
        .into_iter()
        .collect()
}

fn time(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.trim().parse().ok()?).ok()
}

impl Expiry {
    /// `None` when the site wants none.
    pub(super) fn new(table: &DhcpTable, host: &str, state: &str) -> Option<Self> {
        let tables::Expiry::After(after) = table.expiry else {
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

    fn seconds(&self) -> String {
        self.after.as_secs().to_string()
    }

    /// How often a run that lives renews: some renewals may fail before the entry goes.
    pub(super) fn interval(&self) -> Duration {
        (self.after / 4).min(Duration::from_secs(900))
    }
}

impl Automation {
    fn script(&self, expiry: &Expiry) -> String {
        let (include, running, started, limit) = self.commands();
        format!(
            "#!/bin/sh\nstate={}\nhost={}\ninclude() {{ timeout -k 5 {} {}; }}\nrunning() {{ {}; }}\nstarted() {{ {}; \
             }}\nunschedule() {{ {}; }}\n{SCRIPT}",
            quote(&[self.state()]),
            quote(&[self.host()]),
            limit.as_secs().max(1),
            quote(include),
            quote(running),
            quote(started),
            quote(&expiry.unschedule)
        )
    }

    /// Sets the deadline of the entry that is about to be written, and has the install server look at it. When the entry
    /// expires; `None` when the site wants none.
    pub(super) async fn arm(
        &self,
        held: &Held,
        digest: &str,
        call: &Call,
    ) -> Result<Option<Timestamp>, Fault> {
        let Some(expiry) = &self.expiry else {
            // One that an earlier run has set would end this one's entry.
            self.disarm(held, None, call).await;
            let state = self.state();
            let arguments = [state.as_str(), self.host(), digest, &call.run];
            let ran = self.server.fenced_script(held, MARK, &arguments).await?;
            if !ran.ok() {
                return Err(self.rejected(
                    "dhcp.not-marked",
                    format!(
                        "{state} cannot be written: {}; nothing was published",
                        ran.told()
                    ),
                ));
            }
            return Ok(None);
        };
        let (state, script) = (self.state(), STANDARD.encode(self.script(expiry)));
        let (entry, proxy, seconds) = (self.path(), self.proxy(), expiry.seconds());
        let arguments = [
            state.as_str(),
            self.host(),
            &seconds,
            digest,
            &entry,
            &proxy,
            &call.run,
            &script,
        ];
        let ran = self.server.fenced_script(held, ARM, &arguments).await?;
        let expires = time(&ran.stdout).filter(|_| ran.ok());
        let scheduled = match expires {
            Some(_) => self.schedule(expiry).await,
            None => Err(format!("{state} cannot be written: {}", ran.told())),
        };
        let Err(why) = scheduled else {
            return Ok(expires);
        };
        self.disarm(held, None, call).await;
        Err(self.rejected(
            "dhcp.not-scheduled",
            format!(
                "{} cannot be told to take the entry out when its time is over: {why}. Nothing was published; correct \
                 `dhcp.schedule` in the site file, or say `expiry = \"none\"` there",
                self.system()
            ),
        ))
    }

    /// Starts the timer if it does not run.
    async fn schedule(&self, expiry: &Expiry) -> Result<(), String> {
        let message = |fault: Fault| fault.message;
        let is_scheduled = async || self.server.small(&expiry.scheduled).await.map_err(message);
        if is_scheduled().await?.ok() {
            return Ok(());
        }
        let ran = self.server.small(&expiry.schedule).await.map_err(message)?;
        if !ran.ok() {
            return Err(format!(
                "`{}` ended with {}",
                quote(&expiry.schedule),
                ran.told()
            ));
        }
        let then = is_scheduled().await?;
        if then.ok() {
            return Ok(());
        }
        Err(format!(
            "`{}` said success, and `{}` says no: {}",
            quote(&expiry.schedule),
            quote(&expiry.scheduled),
            then.told()
        ))
    }

    /// Takes the deadline of an entry back that is gone. What fails is only told: a timer without a deadline ends by itself.
    pub(super) async fn disarm(&self, held: &Held, digest: Option<&str>, call: &Call) {
        let state = self.state();
        let arguments = [state.as_str(), self.host(), digest.unwrap_or_default()];
        let ended = async || {
            let ran = self.server.fenced_script(held, DISARM, &arguments).await?;
            let Some(expiry) = self.expiry.as_ref().filter(|_| ran.ok()) else {
                return Ok(ran.ok() || ran.status == Some(NOT_OURS));
            };
            if self.server.small(&expiry.scheduled).await?.ok()
                && !self.server.small(&expiry.unschedule).await?.ok()
            {
                return Ok(false);
            }
            let script = format!("{state}/{}.sh", self.host());
            let argv = ["rm", "-f", &script];
            let ran = self.server.fenced(held, &argv, SMALL).await?;
            Ok::<bool, Fault>(ran.ok())
        };
        let why = match ended().await {
            Ok(true) => return,
            Ok(false) => "the install server refuses".to_owned(),
            Err(fault) => fault.message,
        };
        call.progress(format!(
            "the timer for the expiry of the DHCP entry could not be stopped; it ends by itself: {why}"
        ));
    }

    /// The digest of the entry that this run has written or was about to write, whichever process did; `None` when it has none.
    pub(super) async fn own(&self, run: &str) -> Result<Option<String>, Fault> {
        let state = self.state();
        let ran = self.server.script(OWN, &[&state, self.host(), run]).await?;
        if ran.status == Some(NOT_OURS) {
            return Ok(None);
        }
        let digest = ran.stdout.trim();
        if ran.ok() && !digest.is_empty() {
            return Ok(Some(digest.to_owned()));
        }
        Err(self.rejected(
            "dhcp.file",
            format!("the files in {state} cannot be read: {}", ran.told()),
        ))
    }

    /// Writes a later deadline, if this run has an entry there. When it expires now; `None` when there is none.
    pub(super) async fn renew(&self, run: &str) -> Result<Option<Timestamp>, Fault> {
        let Some(expiry) = &self.expiry else {
            return Ok(None);
        };
        let (state, seconds) = (self.state(), expiry.seconds());
        let arguments = [state.as_str(), self.host(), run, &seconds];
        let ran = self.server.script(RENEW, &arguments).await?;
        if ran.status == Some(NOT_OURS) {
            return Ok(None);
        }
        let failed = |why: String| {
            self.rejected(
                "dhcp.not-renewed",
                format!(
                    "the expiry of the DHCP entry of {} on {} could not be renewed: {why}; without a renewal it is taken \
                     out {} s after the last one",
                    self.host(),
                    self.system(),
                    expiry.after.as_secs()
                ),
            )
        };
        let expires = time(&ran.stdout).filter(|_| ran.ok());
        let expires = expires.ok_or_else(|| failed(ran.told()))?;
        // A restart of the server has ended the timer.
        self.schedule(expiry).await.map_err(failed)?;
        Ok(Some(expires))
    }

    /// Whether the install server can take entries out by itself.
    pub(super) async fn check_expiry(&self) -> Result<String, Fault> {
        let Some(expiry) = &self.expiry else {
            return Ok(
                "NONE! The site file says `expiry = \"none\"`: the entry of a run that dies stays until somebody removes \
                 it, and its machine is installed anew whenever it boots from the network"
                    .to_owned(),
            );
        };
        let state = self.state();
        let mut arguments = vec![state.as_str()];
        for argv in [&expiry.schedule, &expiry.scheduled, &expiry.unschedule] {
            arguments.extend(argv.first().map(String::as_str));
        }
        let ran = self.server.script(CHECK, &arguments).await?;
        if ran.ok() {
            let warning = ran.stdout.trim();
            let comma = if warning.is_empty() { "" } else { ", " };
            return Ok(format!(
                "{} s after the last renewal, by {}{comma}{warning}",
                expiry.after.as_secs(),
                expiry.schedule.first().map_or("", String::as_str)
            ));
        }
        let why = ran.stdout.trim();
        Err(self.rejected(
            "dhcp.no-scheduler",
            format!("{why}; see `expiry` and `schedule` of [dhcp] in the site file"),
        ))
    }
}
