//! `[lease]`: what orders the controllers that may change a host.

use crate::units::Period;
use serde::Deserialize;
use toml::Spanned;

/// Where claims on hosts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseProvider {
    /// In a folder of the install server that `[dhcp]` names.
    InstallServer,
    /// Nowhere: only the runs of one state folder are ordered.
    None,
}

/// `[lease]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LeaseTable {
    /// Where claims are kept; on the install server wherever `dhcp` is live, unless the table has another.
    pub provider: Option<Spanned<LeaseProvider>>,
    /// For how long a claim is fresh after its last heartbeat; 60 s to 15 min. The lease folder keeps the value that it was
    /// created with.
    #[serde(default = "five_minutes")]
    pub ttl: Spanned<Period>,
}

impl Default for LeaseTable {
    fn default() -> Self {
        LeaseTable {
            provider: None,
            ttl: five_minutes(),
        }
    }
}

fn five_minutes() -> Spanned<Period> {
    Spanned::new(0..0, Period::secs(300))
}
