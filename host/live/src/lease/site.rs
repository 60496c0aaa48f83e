//! What a site has of a lease.

use super::{InstallServerLease, LeaseFolder, SharedServer};
use crate::install_server::InstallServer;
use crate::site::{Choice, Site};
use crate::tables::LeaseProvider;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use wreimage_capability::lease::{Lease, LeaseError, LeaseResult};

impl Site {
    /// Has the install server's boot ID and uptime read from this folder instead of `/proc`: for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_proc(mut self, proc: &Path) -> Self {
        self.proc = proc.display().to_string();
        self.shared = self.share();
        self
    }

    /// The way to the install server, made anew.
    pub(crate) fn share(&self) -> Option<SharedServer> {
        let table = self.file.dhcp.as_ref().filter(|_| self.is_live("dhcp"))?;
        let server = Arc::new(InstallServer::new(table, self));
        let lease = &self.file.lease;
        let wanted = lease
            .provider
            .as_ref()
            .is_none_or(|provider| *provider.get_ref() == LeaseProvider::InstallServer);
        let folder = || LeaseFolder::new(server.clone(), table, lease, self.path());
        Some(SharedServer {
            lease: wanted.then(|| Arc::new(folder())),
            renewals: Arc::default(),
            server,
        })
    }

    /// The install server and what belongs to it, when `dhcp` is live.
    pub(crate) fn shared_server(&self) -> Option<&SharedServer> {
        self.shared.as_ref()
    }

    /// Where the claims on this site's hosts are kept; `None` where controllers are not ordered.
    pub fn lease(&self) -> Option<Arc<dyn Lease>> {
        let folder = self.shared.as_ref()?.lease.clone()?;
        Some(Arc::new(InstallServerLease(folder)))
    }

    /// Creates the lease folder on the install server; what was done, for people.
    ///
    /// # Errors
    /// [`LeaseError::Folder`] where it cannot be created or the site has none, [`LeaseError::NoAnswer`].
    pub async fn create_lease_folder(&self) -> LeaseResult<String> {
        self.create_lease_folder_for(None).await
    }

    /// The same, with a time to live that tests may choose.
    #[doc(hidden)]
    pub async fn create_lease_folder_for(&self, ttl: Option<Duration>) -> LeaseResult<String> {
        let folder = self.shared.as_ref().and_then(|shared| shared.lease.clone());
        let folder = folder.ok_or_else(|| {
            LeaseError::Folder(format!(
                "{} has no lease: `dhcp` is not live, or [lease] has provider = \"none\"",
                self.path().display()
            ))
        })?;
        folder.create(ttl).await
    }

    /// Why controllers are not ordered here, or only those of one machine; for consent and `site check`. `None` when they
    /// are, and where nothing is live.
    pub fn unordered(&self) -> Option<String> {
        let is_live = self.choices().values().any(|it| *it == Choice::Live);
        let why = match &self.shared {
            Some(shared) if shared.lease.is_none() => "[lease] has provider = \"none\"",
            Some(shared) if shared.server.is_here() => {
                return Some(
                    "the install server is this machine, so only its own runs are ordered"
                        .to_owned(),
                );
            }
            Some(_) => return None,
            None if is_live => "`dhcp` is not live, so no install server keeps a lease",
            None => return None,
        };
        Some(format!(
            "{why}; a run of another state folder can change this host at the same time"
        ))
    }
}
