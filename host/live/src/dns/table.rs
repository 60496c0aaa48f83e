//! `[dns]`: how names are resolved.

use crate::ConfigError;
use crate::capability::Choice;
use crate::rules::Rules;
use crate::units::Period;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use toml::Spanned;

/// Of one look-up, so that a call ends before the gate gives it up after 300 s. Each request to a BMC and each SSH connection
/// makes one.
const TIMEOUT: Period = Period::secs(10);

/// Who serves `dns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DnsProvider {
    /// The system's resolver, as configured in `/etc`.
    System,
    /// The name servers that the table names.
    Server,
    /// A hosts file.
    Hosts,
    /// The simulated data centre.
    Lab,
    /// The site has none.
    Absent,
}

/// `[dns]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DnsTable {
    /// Who serves it.
    pub provider: Spanned<DnsProvider>,
    /// Addresses of name servers, for `server`; port 53 unless one is given.
    #[serde(default)]
    pub servers: Vec<NameServer>,
    /// The hosts file, for `hosts`; relative to the site file.
    pub hosts: Option<PathBuf>,
    /// How long one look-up may take; 10 s at most.
    #[serde(default = "five_seconds")]
    pub timeout: Period,
}

/// Address of a name server: `10.0.0.53` or `10.0.0.53:5353`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NameServer(pub SocketAddr);

impl TryFrom<String> for NameServer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(NameServer(SocketAddr::new(address, 53)));
        }
        text.parse()
            .map(NameServer)
            .map_err(|_| "a name server is written as an address, such as \"10.0.0.53\"".to_owned())
    }
}

impl DnsTable {
    pub(super) fn choice(&self) -> Choice {
        match self.provider.get_ref() {
            DnsProvider::Lab => Choice::Lab,
            DnsProvider::Absent => Choice::Absent,
            _ => Choice::Live,
        }
    }

    pub(super) fn validate(&self, rules: &Rules<'_>) -> Result<(), ConfigError> {
        let at = self.provider.span();
        let servers = !self.servers.is_empty();
        match self.provider.get_ref() {
            DnsProvider::Server => {
                rules.needs(servers, at.clone(), "dns", "server", "servers")?;
            }
            DnsProvider::Hosts => {
                rules.needs(self.hosts.is_some(), at.clone(), "dns", "hosts", "hosts")?;
            }
            _ => {}
        }
        rules.at_most(self.timeout, TIMEOUT, at, "dns", "timeout")
    }
}

fn five_seconds() -> Period {
    Period::secs(5)
}
