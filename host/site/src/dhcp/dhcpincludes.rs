//! The live provider of `dhcp`: a snippet file a host, and the program `dhcpincludes`, which joins them into the
//! configuration of ISC DHCP. Its exit status is not enough: after an unexpected error it says success.

use super::automation::Automation;
use super::entry::snippet;
use super::expiry;
use super::lock::Held;
use super::releases::Releases;
use super::render::matched_value;
use super::server::Removed;
use crate::digest::sha256;
use crate::site::Site;
use crate::tables::{BootTable, DhcpTable};
use crate::target::Target;
use jiff::Timestamp;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wreimage_capability::dhcp::{Entry, Provider, Published, Release};
use wreimage_capability::{Call, Fault, FaultKind};

/// Speaks to one install server about one host.
pub(crate) struct DhcpIncludes {
    automation: Automation,
    target: Target,
    boot: BootTable,
    releases: Releases,
    /// Digest of what was written and not yet published: to be withdrawn even when the answer never came.
    written: Mutex<Option<String>>,
}

impl DhcpIncludes {
    pub(crate) fn new(site: &Site, table: &DhcpTable, target: &Target) -> Self {
        DhcpIncludes {
            automation: Automation::new(site, table, &target.host),
            target: target.clone(),
            boot: table.boot.clone(),
            releases: Releases::new(&table.boot, site.cache()),
            written: Mutex::default(),
        }
    }

    fn published(&self, text: String, expires: Option<Timestamp>) -> Published {
        Published {
            location: self.automation.location(),
            digest: sha256(text.as_bytes()),
            matches: matched_value(&text),
            text,
            extra: expiry::extra(expires),
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

    async fn disarm(&self, held: &Held, digest: Option<&str>, call: &Call) {
        if digest.is_some() {
            self.automation.disarm(held, digest, call).await;
        }
    }

    /// The server can be reached, and what the site file names is there.
    pub(crate) async fn check(&self) -> Result<String, Fault> {
        self.automation.check().await
    }

    /// The install server takes entries by itself out whose run has gone.
    pub(crate) async fn check_expiry(&self) -> Result<String, Fault> {
        self.automation.check_expiry().await
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

    /// How often to renew; `None` when nothing expires.
    pub(crate) fn renewal(&self) -> Option<Duration> {
        Some(self.automation.expiry.as_ref()?.interval())
    }

    /// Renews the entry of that run; when it expires then. `None` when it has none.
    pub(crate) async fn renew(&self, run: &str) -> Result<Option<Timestamp>, Fault> {
        self.automation.renew(run).await
    }

    pub(crate) fn system(&self) -> String {
        self.automation.system()
    }
}

impl Provider for DhcpIncludes {
    async fn get_releases(&self, _call: &Call) -> Result<Vec<Release>, Fault> {
        self.releases.read(&self.automation.server).await
    }

    async fn get_published(&self, call: &Call) -> Result<Option<Published>, Fault> {
        let Some(text) = self.automation.read().await? else {
            return Ok(None);
        };
        let expires = self.renew(&call.run).await.unwrap_or_else(|fault| {
            call.progress(fault.message);
            None
        });
        Ok(Some(self.published(text, expires)))
    }

    async fn publish(&self, call: &Call, entry: Entry) -> Result<Published, Fault> {
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
        let text = snippet.text();
        let digest = sha256(text.as_bytes());
        let held = self.automation.lock(call).await?;
        if let Some(old) = self.automation.read().await?
            && old != text
        {
            call.progress(format!(
                "replacing another entry of this host in {} ({})",
                self.automation.location(),
                matched_value(&old)
            ));
        }
        // Before anything is written: without a mark nothing could prove that the entry is served.
        let before = self.automation.start_mark().await?;
        let expires = self.automation.arm(&held, &digest, call).await?;
        self.remember(Some(digest.clone()));
        self.automation.write(&held, &text, &digest).await?;
        let Err(first) = self.automation.include(&held, true, Ok(before)).await else {
            let mut published = self.published(text, expires);
            published.matches = snippet.matches.value().to_owned();
            return Ok(published);
        };
        call.progress(format!("taking the entry out again: {}", first.message));
        let mut fault = first;
        match self.automation.take_out(&held, &digest).await {
            Ok(()) => {
                self.automation.disarm(&held, Some(&digest), call).await;
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
                    self.automation.path()
                );
                // Another kind might say that the call had no effect.
                fault.kind = FaultKind::Rejected;
                fault = fault.with("left", self.automation.path());
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
        let mut digest = made.or_else(|| self.remembered());
        let held = self.automation.lock(call).await?;
        if digest.is_none() {
            // The process that has written it may have gone before it could say so.
            digest = self.automation.own(&call.run).await?;
        }
        let removed = match &digest {
            Some(digest) => self.automation.remove(&held, digest).await?,
            None if self.automation.read().await?.is_none() => Removed::Absent,
            None => Removed::Other,
        };
        match removed {
            Removed::Other => return Err(self.automation.foreign()),
            Removed::Yes => {}
            // The file alone does not tell: an earlier withdrawal may have ended between it and the daemon.
            Removed::Absent => {
                if digest.is_none() || !self.automation.is_left().await? {
                    self.disarm(&held, digest.as_deref(), call).await;
                    return Ok(false);
                }
            }
        }
        self.automation.include_without(&held, call).await?;
        self.disarm(&held, digest.as_deref(), call).await;
        self.remember(None);
        Ok(true)
    }

    async fn clear(&self, call: &Call) -> Result<bool, Fault> {
        let held = self.automation.lock(call).await?;
        let Some(text) = self.automation.read().await? else {
            // An earlier removal may have ended between the file and the daemon.
            if !self.automation.is_left().await? {
                return Ok(false);
            }
            self.automation.include_without(&held, call).await?;
            return Ok(true);
        };
        let digest = sha256(text.as_bytes());
        if self.automation.remove(&held, &digest).await? == Removed::Other {
            return Err(Fault::conflict(
                "dhcp.changed",
                self.automation.system(),
                format!(
                    "{} changed while it was being removed; it stays",
                    self.automation.path()
                ),
            ));
        }
        self.automation.include_without(&held, call).await?;
        self.disarm(&held, Some(&digest), call).await;
        self.remember(None);
        Ok(true)
    }
}
