//! The live provider of `dhcp`: a snippet file a host, and the program `dhcpincludes`, which joins them into the
//! configuration of ISC DHCP. Its exit status is not enough: after an unexpected error it says success.

use super::automation::{Automation, Mode};
use super::entry::snippet;
use super::expiry;
use super::releases::Releases;
use super::render::matched_value;
use super::renewals::Renewals;
use super::table::BootTable;
use crate::digest::sha256;
use crate::install_server::Answer;
use crate::lease;
use crate::renewal::Renewal;
use crate::target::Target;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::dhcp::{Entry, Provider, Published, Release};
use wreimage_capability::{BoxFuture, Call, Fault, FaultKind};

/// Speaks to one install server about one host.
pub(crate) struct DhcpIncludes {
    pub(super) automation: Automation,
    pub(super) renewals: Arc<Renewals>,
    pub(super) target: Target,
    pub(super) boot: BootTable,
    pub(super) releases: Releases,
}

impl DhcpIncludes {
    fn published(&self, text: String, expires: Option<Timestamp>) -> Published {
        Published {
            location: self.automation.location(),
            digest: sha256(text.as_bytes()),
            matches: matched_value(&text),
            text,
            extra: expiry::extra(expires),
        }
    }

    /// The server can be reached, and what the site file names is there: a line about that, one about the expiry of entries,
    /// and one about the lease folder, where the site wants one.
    pub(crate) async fn check(&self) -> Result<Checked, Fault> {
        let answer = self.automation.check().await?;
        match answer.status.as_str() {
            "ok" => Ok(Checked {
                server: format!(
                    "{} is there, the DHCP server runs",
                    self.automation.program()
                ),
                expiry: self.automation.judge_expiry(&answer),
                lease: self.automation.lease.as_ref().map(|it| it.judge(&answer)),
            }),
            _ => Err(self.refused(&answer)),
        }
    }

    /// The command that lists the releases works; `None` where the site file names none.
    pub(crate) async fn check_releases(&self) -> Option<Result<String, Fault>> {
        if !self.releases.are_known() {
            return None;
        }
        let read = self.releases.read(&self.automation.server).await;
        Some(read.map(|releases| {
            let names: Vec<String> = releases.into_iter().map(|it| it.distribution).collect();
            names.join(", ")
        }))
    }

    /// Renews the entry of that run; when it expires then. `None` when it has none.
    pub(crate) async fn renew(&self, run: &str) -> Result<Option<Timestamp>, Fault> {
        self.automation.renew_entry(&self.renewals, run).await
    }

    pub(crate) fn system(&self) -> String {
        self.automation.system()
    }

    /// Where a lease orders the controllers, what replaces or removes the entry of another run needs a claim, which the script
    /// checks on the server.
    fn require_claim(&self, call: &Call) -> Result<(), Fault> {
        if self.automation.lease.is_none() || call.claim.is_some() {
            return Ok(());
        }
        Err(Fault::denied(
            "dhcp.no-claim",
            self.system(),
            format!(
                "this run has no claim on {}, and [lease] of the site file wants one; {} on {} was not changed",
                self.target.host,
                self.automation.path(),
                self.system()
            ),
        ))
    }

    /// Publishes the entry of a run.
    async fn put(&self, call: &Call, text: String, matches: &str) -> Result<Published, Fault> {
        let digest = sha256(text.as_bytes());
        let answer = self.automation.publish(call, &text, &digest).await?;
        let replaced = match (answer.word("replaced"), answer.get("by")) {
            ("expired" | "foreign", Some(run)) => format!(" of run {run}"),
            ("unrecorded", _) => " that no run has published".to_owned(),
            _ => String::new(),
        };
        if let Some(old) = answer.text("old").filter(|_| !replaced.is_empty()) {
            call.progress(format!(
                "{}: the entry of this host{replaced} in {} was replaced ({})",
                self.system(),
                self.automation.location(),
                matched_value(&old)
            ));
        }
        if answer.status != "published" {
            return Err(self.refused(&answer));
        }
        let mut published = self.published(text, expiry::expires(&answer));
        published.matches = matches.to_owned();
        Ok(published)
    }

    /// Takes an entry out; whether there was one.
    async fn take_out(&self, call: &Call, mode: Mode) -> Result<bool, Fault> {
        let answer = self.automation.withdraw(call, mode).await?;
        if let Some(first) = answer.text("first") {
            call.progress(format!("the include tool was run again: it {first}"));
        }
        if answer.get("timer").is_some() {
            call.progress(
                "the timer for the expiry of the DHCP entry could not be stopped; it ends by itself",
            );
        }
        match answer.status.as_str() {
            "withdrawn" => Ok(true),
            "absent" => Ok(false),
            "failed" if answer.get("output").is_some() => {
                let mut fault = self.refused(&answer);
                fault.message = format!(
                    "{} is removed, but the DHCP server still has it: {}",
                    self.automation.path(),
                    fault.message
                );
                Err(fault)
            }
            _ => Err(self.refused(&answer)),
        }
    }

    /// What an answer means that does not report success.
    fn refused(&self, answer: &Answer) -> Fault {
        let system = self.system();
        let path = self.automation.path();
        let conflict = |code: &str, message: String| Fault::conflict(code, system.clone(), message);
        match answer.status.as_str() {
            "foreign" => conflict(
                "dhcp.foreign-entry",
                format!(
                    "{path} on {system} is the entry of run {run}, which has renewed it; it stays, and nothing was changed. \
                     End that run where it was started (`wreimage cleanup {run}`), or wait: without a renewal the server \
                     takes the entry out in {} s",
                    answer
                        .number("remaining-ms")
                        .unwrap_or_default()
                        .div_ceil(1000),
                    run = answer.word("by"),
                ),
            ),
            "not-ours" => conflict(
                "dhcp.not-ours",
                format!(
                    "{path} on {system} is not the entry of this run{}; it stays. Find out whose it is before you remove it",
                    answer.get("by").map_or_else(
                        || ": no record of it there has its digest".to_owned(),
                        |run| format!(" but of run {run}")
                    )
                ),
            ),
            "claimed" => conflict(
                "dhcp.claimed",
                format!(
                    "{path} on {system} stays: a copy of this run holds the lease on {}. End the run there",
                    self.target.host
                ),
            ),
            "locked" => {
                let holder = answer.text("holder").unwrap_or_default();
                let holder = match holder.trim() {
                    "" => "another process",
                    holder => holder,
                };
                conflict(
                    "dhcp.locked",
                    format!(
                        "the DHCP automation of {system} is being changed by {holder}, and did not become free within {} s; \
                         nothing was changed. Try again; if it stays so, see on the install server who holds {}/lock \
                         (fuser -v)",
                        super::automation::WAIT.as_secs(),
                        self.automation.state()
                    ),
                )
                .retryable()
            }
            "lost" | "folder" => lease::fault(&self.automation.server, answer),
            _ => self.failed(answer),
        }
    }

    fn failed(&self, answer: &Answer) -> Fault {
        let system = self.system();
        let code = match answer.word("code") {
            "" => "dhcp.answer".to_owned(),
            code => format!("dhcp.{code}"),
        };
        let mut why = answer.text("why").unwrap_or_default();
        let program = self.automation.program();
        match answer.word("code") {
            "restart-failed" | "timeout" | "refused" | "not-included" | "not-reloaded" => {
                why = format!("`{program}` {why}");
            }
            "no-start-mark" => {
                why = format!(
                    "the command `dhcp.started` of the site file fails ({why}), so nothing shows whether the DHCP server was \
                     restarted; nothing was changed"
                );
            }
            "not-scheduled" => {
                why = format!(
                    "{system} cannot take the entry out when its time is over: {why}. Nothing was changed; correct \
                     `dhcp.schedule` in the site file, or set `expiry = \"none\"` there"
                );
            }
            "incomplete" => why = format!("{why}; correct [dhcp] in the site file"),
            "not-running" => why = format!("the DHCP server does not run: {why}"),
            "too-large" => {
                why = format!(
                    "{why} and was not read: that is too large for a file of the DHCP automation. Check `dhcp.folder` of the \
                     site file"
                );
            }
            _ => {}
        }
        for text in [
            answer.text("output"),
            answer.get("stderr").map(str::to_owned),
        ] {
            let text = text.unwrap_or_default();
            if !text.trim().is_empty() {
                why = format!("{why}: {}", text.trim());
            }
        }
        let kind = match answer.word("code") {
            "lock" => FaultKind::Unreachable,
            "file" => FaultKind::Denied,
            _ => FaultKind::Rejected,
        };
        let code = match answer.word("code") {
            "too-large" => "dhcp.file-too-large".to_owned(),
            _ => code,
        };
        let mut fault = Fault::new(kind, &code, system.clone(), why);
        match answer.word("restored") {
            "yes" if answer.word("replaced") == "absent" => {
                fault.message = format!(
                    "{}. The entry is taken out again, and the DHCP server runs",
                    fault.message
                );
            }
            "yes" => {
                fault.message = format!(
                    "{}. The entry that was there before is back, and the DHCP server runs",
                    fault.message
                );
            }
            "no" => {
                let second = answer.text("left").unwrap_or_default();
                fault.message = format!(
                    "{}. Taking the entry out again failed too: {second}. Check {} on {system}",
                    fault.message,
                    self.automation.path()
                );
                // Another kind might mean that the call had no effect.
                fault.kind = FaultKind::Rejected;
                fault = fault.with("left", self.automation.path());
            }
            _ => {}
        }
        fault
    }
}

/// Renews the entries of runs for one host.
pub(super) struct EntryRenewal {
    dhcp: DhcpIncludes,
    interval: Duration,
}

impl EntryRenewal {
    /// `None` when entries do not expire.
    pub(super) fn new(dhcp: DhcpIncludes) -> Option<Self> {
        let interval = dhcp.automation.expiry()?.interval();
        Some(EntryRenewal { dhcp, interval })
    }
}

impl Renewal for EntryRenewal {
    fn interval(&self) -> Duration {
        self.interval
    }

    fn renew<'a>(&'a self, run: &'a str) -> BoxFuture<'a, Result<Option<String>, Fault>> {
        Box::pin(async move {
            let expires = self.dhcp.renew(run).await?;
            Ok(expires.map(|time| time.to_string()))
        })
    }
}

/// What a check has found.
pub(crate) struct Checked {
    pub(crate) server: String,
    pub(crate) expiry: Result<String, Fault>,
    pub(crate) lease: Option<Result<String, Fault>>,
}

impl Provider for DhcpIncludes {
    async fn get_releases(&self, _call: &Call) -> Result<Vec<Release>, Fault> {
        self.releases.read(&self.automation.server).await
    }

    async fn get_published(&self, call: &Call) -> Result<Option<Published>, Fault> {
        let answer = self.automation.look(&call.run).await?;
        match answer.status.as_str() {
            "absent" => return Ok(None),
            "present" => {}
            _ => return Err(self.refused(&answer)),
        }
        let text = answer.text("text").unwrap_or_default();
        let expires = match answer.word("present") {
            "own" => self.renew(&call.run).await.unwrap_or_else(|fault| {
                call.progress(fault.message);
                None
            }),
            _ => None,
        };
        Ok(Some(self.published(text, expires)))
    }

    async fn publish(&self, call: &Call, entry: Entry) -> Result<Published, Fault> {
        self.require_claim(call)?;
        let system = self.automation.system();
        // What was checked: the inventory may have changed since.
        let checked = call.snapshot.as_ref().ok_or_else(|| {
            Fault::not_found(
                "dhcp.no-inventory",
                system.clone(),
                "no inventory has reported the host's address and what the DHCP server matches, and the DHCP entry needs them; \
                 check `[netbox]` in the site file",
            )
        })?;
        let snippet = snippet(&self.target.host, &entry, checked, &self.boot, &system)?;
        self.put(call, snippet.text(), snippet.matches.value())
            .await
    }

    async fn withdraw(&self, call: &Call) -> Result<bool, Fault> {
        self.take_out(call, Mode::Run).await
    }

    async fn clear(&self, call: &Call) -> Result<bool, Fault> {
        self.require_claim(call)?;
        self.take_out(call, Mode::Host).await
    }
}
