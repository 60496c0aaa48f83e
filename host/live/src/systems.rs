//! The live systems of one site: its capabilities, configured, with what they share.

use crate::ConfigError;
use crate::capability::Choice;
use crate::check::CheckLine;
use crate::host::Host;
use crate::lease::{InstallServerLease, LeaseFolder, LeaseTable};
use crate::renewal::Keeper;
use crate::row::Configured;
use crate::secret::{Prompter, Secret};
use crate::secrets::Secrets;
use crate::shared::{Place, Shared};
use crate::tables::Tables;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::lease::{Lease, LeaseError, LeaseResult};
use wreimage_capability::{Call, Fault, Function, HostSnapshot, Providers};

/// The live systems of one site. Cheap to clone; all clones share the ways to their systems, and each secret is read once.
#[derive(Clone)]
pub struct Systems(Arc<Inner>);

struct Inner {
    shared: Shared,
    secrets: Vec<Secrets>,
    /// Those that are live, in the order of the list.
    live: Vec<Arc<dyn Configured>>,
}

impl Systems {
    /// Configures what these tables name. Makes no traffic and reads no secret; secrets are asked for with `prompter`.
    pub fn new(tables: &Tables, lease: &LeaseTable, place: Place, prompter: &Prompter) -> Self {
        let secrets: Vec<Secrets> = tables
            .iter()
            .map(|table| Secrets::new(table.secrets(), place.folder(), prompter))
            .collect();
        let mut shared = Shared::new(place);
        for (table, secrets) in tables.iter().zip(&secrets) {
            table.share(secrets, &mut shared);
        }
        shared.lease = shared
            .install_server
            .as_ref()
            .filter(|_| lease.is_wanted())
            .map(|at| {
                let file = &shared.place.file;
                let folder = LeaseFolder::new(at.server.clone(), &at.folder, lease, file);
                Arc::new(folder)
            });
        let live = tables
            .iter()
            .zip(&secrets)
            .filter(|(table, _)| table.choice() == Choice::Live)
            .map(|(table, secrets)| table.configure(secrets, &shared))
            .collect();
        Systems(Arc::new(Inner {
            shared,
            secrets,
            live,
        }))
    }

    /// Where the site is described.
    pub fn place(&self) -> &Place {
        &self.0.shared.place
    }

    /// The secrets of all tables.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.secrets.iter().flat_map(Secrets::iter)
    }

    /// The host of that short name.
    ///
    /// # Errors
    /// When it is not one, or a name that the site file derives from it is none.
    pub fn host(&self, name: &str) -> Result<Host, ConfigError> {
        self.0.shared.host(name)
    }

    /// The live providers for a host. Makes no traffic and reads no secret.
    pub fn open(&self, host: &Host) -> Providers {
        let mut providers = Providers::new();
        for live in &self.0.live {
            providers.add(live.open(host));
        }
        providers
    }

    /// What the inventory says about a host; `None` at a site without an inventory of its real systems.
    pub fn snapshot(&self, host: &Host) -> Option<Result<HostSnapshot, Fault>> {
        self.0.live.iter().find_map(|live| live.snapshot(host))
    }

    /// The template with `{host}`, `{fqdn}` and `{management}` filled in.
    pub fn fill(&self, host: &Host, template: &str) -> String {
        let target = &host.target;
        let snapshot = self.snapshot(host).and_then(Result::ok);
        let names = snapshot.and_then(|it| target.names_in(&it).ok());
        names.as_ref().unwrap_or(target.derived()).fill(template)
    }

    /// Renews what a run for this host publishes and what expires by itself; `None` when nothing does.
    pub fn keeper(&self, host: &Host) -> Option<Keeper> {
        let mut live = self.0.live.iter();
        live.find_map(|live| live.renewal(host)).map(Keeper::new)
    }

    /// What a function answers as far as that is known without any traffic.
    pub fn remembered<T: DeserializeOwned>(&self, function: &Function) -> Option<T> {
        let mut live = self.0.live.iter();
        let value = live.find_map(|live| live.remembered(function))?;
        serde_json::from_value(value).ok()
    }

    /// Where the claims on this site's hosts are kept; `None` where controllers are not ordered.
    pub fn lease(&self) -> Option<Arc<dyn Lease>> {
        let folder = self.0.shared.lease.clone()?;
        Some(Arc::new(InstallServerLease(folder)))
    }

    /// Creates the folder in which they are kept, with the site's time to live or another; what was done, for people.
    ///
    /// # Errors
    /// [`LeaseError::Folder`] where it cannot be created or the site has none, [`LeaseError::NoAnswer`].
    pub async fn create_lease_folder(&self, ttl: Option<Duration>) -> LeaseResult<String> {
        let Some(folder) = &self.0.shared.lease else {
            return Err(LeaseError::Folder(format!(
                "{} has no lease: `dhcp` is not live, or [lease] has provider = \"none\"",
                self.place().file.display()
            )));
        };
        folder.create(ttl).await
    }

    /// Why controllers are not ordered here, or only those of one machine; for consent and `site check`. `None` when they
    /// are, and where nothing is live.
    pub fn unordered(&self) -> Option<String> {
        let Shared {
            install_server,
            lease,
            ..
        } = &self.0.shared;
        let why = match install_server {
            Some(_) if lease.is_none() => "[lease] has provider = \"none\"",
            Some(at) if at.server.is_here() => {
                return Some(
                    "the install server is this machine, so only its own runs are ordered"
                        .to_owned(),
                );
            }
            Some(_) => return None,
            None if !self.0.live.is_empty() => {
                "`dhcp` is not live, so no install server keeps a lease"
            }
            None => return None,
        };
        Some(format!(
            "{why}; a run of another state folder can change this host at the same time"
        ))
    }

    /// Tries every read-only way to the systems that serve all hosts; `host` stands for any of them.
    pub async fn check(&self, host: &Host) -> Vec<CheckLine> {
        let mut lines = Vec::new();
        for live in &self.0.live {
            lines.extend(live.check(host).await);
        }
        lines
    }

    /// Tries every read-only way to the systems of this host.
    pub async fn check_host(&self, host: &Host) -> Vec<CheckLine> {
        let mut lines = Vec::new();
        let mut call = Call::alone();
        // There is no run that has read the inventory.
        if let Some(read) = self.snapshot(host) {
            let fqdn = read.as_ref().map(|it| it.device.fqdn.clone());
            lines.push(CheckLine::of_answer(
                format!("inventory entry of {}", host.target.host),
                fqdn.map_err(Clone::clone),
            ));
            let Ok(snapshot) = read else { return lines };
            call.snapshot = Some(Arc::new(snapshot));
        }
        if let Err(fault) = host.target.names(&call) {
            lines.push(CheckLine::of("host", Err(fault.message)));
            return lines;
        }
        for live in &self.0.live {
            lines.extend(live.check_host(host, &call).await);
        }
        lines
    }
}
