//! `dns`: the addresses of the run's host, and what the other providers use to find their systems.

mod hosts;
mod server;
mod system;

use crate::tables::{DnsProvider, DnsTable};
use crate::target::Target;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wreimage_capability::dns::{HostName, Provider};
use wreimage_capability::{Call, Fault};

/// No host has more addresses: a connection tries all of them at the same time.
const MOST_ADDRESSES: usize = 8;

/// How a site resolves names.
#[derive(Debug, Clone)]
pub(crate) enum Names {
    System(Duration),
    Server(server::NameServers),
    Hosts(PathBuf),
}

impl Names {
    /// A site whose `dns` is not live resolves the names of its live systems with the system's resolver.
    pub(crate) fn new(table: Option<&DnsTable>, resolve: impl Fn(&Path) -> PathBuf) -> Self {
        let timeout = table.map_or(Duration::from_secs(5), |table| table.timeout.0);
        match table.map(|table| (*table.provider.get_ref(), table)) {
            Some((DnsProvider::Server, table)) => {
                let servers = table.servers.iter().map(|server| server.0).collect();
                Names::Server(server::NameServers::new(servers, timeout))
            }
            Some((DnsProvider::Hosts, table)) => {
                let hosts = table.hosts.as_deref().unwrap_or(Path::new("/etc/hosts"));
                Names::Hosts(resolve(hosts))
            }
            _ => Names::System(timeout),
        }
    }

    /// The addresses of a name, never empty. An address stands for itself.
    ///
    /// # Errors
    /// `not-found`, `timeout` or `unreachable`; each names the name and who was asked.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let mut addresses = match self {
            Names::System(timeout) => system::resolve(name, *timeout).await?,
            Names::Server(servers) => servers.resolve(name).await?,
            Names::Hosts(path) => hosts::resolve(path, name)?,
        };
        let mut seen = Vec::with_capacity(addresses.len());
        addresses.retain(|address| {
            let new = !seen.contains(address);
            seen.push(*address);
            new
        });
        if addresses.is_empty() {
            return Err(not_found(&self.to_string(), name));
        }
        if addresses.len() > MOST_ADDRESSES {
            return Err(Fault::rejected(
                "dns.too-many-addresses",
                self.to_string(),
                format!(
                    "{self} has {} addresses for {name}, and a host has at most {MOST_ADDRESSES}; correct its records",
                    addresses.len()
                ),
            ));
        }
        Ok(addresses)
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Names::System(_) => f.write_str("the system's resolver"),
            Names::Server(servers) => write!(f, "{servers}"),
            Names::Hosts(path) => write!(f, "hosts file {}", path.display()),
        }
    }
}

fn not_found(system: &str, name: &str) -> Fault {
    Fault::not_found(
        "dns.not-found",
        system,
        format!(
            "{system} has no address for {name}; check the name, and wait out the negative cache when it is new"
        ),
    )
}

fn timed_out(system: &str, name: &str, after: Duration) -> Fault {
    Fault::timeout(
        "dns.timeout",
        system,
        format!(
            "{system} did not answer within {} s when asked for {name}",
            after.as_secs_f32()
        ),
    )
}

/// The live provider of `dns`, bound to one host.
pub(crate) struct Dns {
    target: Target,
    names: Names,
}

impl Dns {
    pub(crate) fn new(target: &Target, names: Names) -> Self {
        Dns {
            target: target.clone(),
            names,
        }
    }
}

impl Provider for Dns {
    async fn resolve(&self, call: &Call, name: HostName) -> Result<Vec<String>, Fault> {
        let names = self.target.names(call)?;
        let name = match name {
            HostName::Host => &names.fqdn,
            HostName::Management => names.management()?,
        };
        let addresses = self.names.resolve(name).await?;
        Ok(addresses.iter().map(IpAddr::to_string).collect())
    }
}
