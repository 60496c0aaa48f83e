//! The live provider of `dhcp`: a snippet file a host, and the program `dhcpincludes`, which joins them into the
//! configuration of ISC DHCP. Its exit status is not enough: after an unexpected error it says success.

use super::automation::Automation;
use super::entry::snippet;
use super::render::matched_value;
use super::server::Removed;
use crate::digest::sha256;
use crate::site::Site;
use crate::tables::{BootTable, DhcpTable};
use crate::target::Target;
use std::sync::{Mutex, PoisonError};
use wreimage_capability::dhcp::{Entry, Provider, Published};
use wreimage_capability::{Call, Fault, FaultKind};

/// Speaks to one install server about one host.
pub(crate) struct DhcpIncludes {
    automation: Automation,
    target: Target,
    boot: BootTable,
    /// Digest of what was written and not yet published: to be withdrawn even when the answer never came.
    written: Mutex<Option<String>>,
}

impl DhcpIncludes {
    pub(crate) fn new(site: &Site, table: &DhcpTable, target: &Target) -> Self {
        DhcpIncludes {
            automation: Automation::new(site, table, &target.host),
            target: target.clone(),
            boot: table.boot.clone(),
            written: Mutex::default(),
        }
    }

    fn published(&self, text: String) -> Published {
        Published {
            location: self.automation.location(),
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

    /// The server can be reached, and what the site file names is there.
    pub(crate) async fn check(&self) -> Result<String, Fault> {
        self.automation.check().await
    }

    pub(crate) fn system(&self) -> String {
        self.automation.system()
    }
}

impl Provider for DhcpIncludes {
    async fn get_published(&self, _call: &Call) -> Result<Option<Published>, Fault> {
        let text = self.automation.read().await?;
        Ok(text.map(|text| self.published(text)))
    }

    async fn publish(&self, call: &Call, entry: Entry) -> Result<Published, Fault> {
        let system = self.automation.system();
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
        self.remember(Some(digest.clone()));
        self.automation.write(&held, &text, &digest).await?;
        let Err(first) = self.automation.include(&held, true, Ok(before)).await else {
            let mut published = self.published(text);
            published.matches = snippet.matches.value().to_owned();
            return Ok(published);
        };
        call.progress(format!("taking the entry out again: {}", first.message));
        let mut fault = first;
        match self.automation.take_out(&held, &digest).await {
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
        let digest = made.or_else(|| self.remembered());
        let held = self.automation.lock(call).await?;
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
                    return Ok(false);
                }
            }
        }
        self.automation.include_without(&held, call).await?;
        self.remember(None);
        Ok(true)
    }
}
