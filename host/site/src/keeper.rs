//! What a run has on the systems around its machine and that expires there is renewed while the run lives.

use crate::dhcp::DhcpIncludes;
use crate::site::Site;
use crate::target::Target;
use std::convert::Infallible;
use std::time::Duration;
use wreimage_capability::Fault;

/// Renews what runs for one host have published and what expires by itself: the DHCP entry. It keeps nothing in memory, so it
/// may serve a run that another process began.
pub struct Keeper {
    dhcp: DhcpIncludes,
    interval: Duration,
}

impl Keeper {
    pub(crate) fn new(site: &Site, target: &Target) -> Option<Self> {
        let dhcp = crate::open::dhcpincludes(site, target)?;
        let interval = dhcp.renewal()?;
        Some(Keeper { dhcp, interval })
    }

    /// How often to renew: some renewals may fail before anything expires.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Renews once. When the entry expires now, in RFC 3339; `None` when this run has none.
    ///
    /// # Errors
    /// When the install server cannot be asked or refuses; the entry expires unless a later renewal succeeds.
    pub async fn renew(&self, run: &str) -> Result<Option<String>, Fault> {
        Ok(self.dhcp.renew(run).await?.map(|time| time.to_string()))
    }

    /// Renews at each interval until it is dropped; `tell` gets what went wrong.
    pub async fn keep(&self, run: &str, tell: impl Fn(&str)) -> Infallible {
        loop {
            tokio::time::sleep(self.interval).await;
            if let Err(fault) = self.renew(run).await {
                tell(&fault.message);
            }
        }
    }
}
