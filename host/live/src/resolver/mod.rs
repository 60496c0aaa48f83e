//! How a site resolves names: what `dns` answers from, and what the other providers use to find their systems.

mod hosts;
mod server;
mod system;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use wreimage_capability::Fault;

/// No host has more addresses: a connection tries all of them at the same time.
const MOST_ADDRESSES: usize = 8;

/// How a site resolves names.
#[derive(Debug, Clone)]
pub(crate) enum Resolver {
    /// The system's, which may take this long.
    System(Duration),
    Server(server::NameServers),
    Hosts(PathBuf),
}

/// How long the system's resolver may take where the site file does not say.
const TIMEOUT: Duration = Duration::from_secs(5);

impl Default for Resolver {
    fn default() -> Self {
        Resolver::System(TIMEOUT)
    }
}

impl Resolver {
    /// These name servers.
    pub(crate) fn of_servers(addresses: Vec<SocketAddr>, timeout: Duration) -> Self {
        Resolver::Server(server::NameServers::new(addresses, timeout))
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
            Resolver::System(timeout) => system::resolve(name, *timeout).await?,
            Resolver::Server(servers) => servers.resolve(name).await?,
            Resolver::Hosts(path) => hosts::resolve(path, name)?,
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

impl std::fmt::Display for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Resolver::System(_) => f.write_str("the system's resolver"),
            Resolver::Server(servers) => write!(f, "{servers}"),
            Resolver::Hosts(path) => write!(f, "hosts file {}", path.display()),
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
