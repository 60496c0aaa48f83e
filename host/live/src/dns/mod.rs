//! `dns`: the addresses of the run's host.

mod table;

pub use table::{DnsProvider, DnsTable, NameServer};

use crate::ConfigError;
use crate::capability::{Choice, LiveCapability, Served};
use crate::check::CheckLine;
use crate::host::Host;
use crate::resolver::Resolver;
use crate::rules::Rules;
use crate::secrets::Secrets;
use crate::shared::Shared;
use crate::target::Target;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use wreimage_capability::dns::{HostName, Provider};
use wreimage_capability::{Call, Capability, Fault, dns};

/// How a site resolves names. The other capabilities find their systems by the same names.
pub struct Dns {
    resolver: Resolver,
}

impl LiveCapability for Dns {
    const CAPABILITY: &'static Capability = &dns::CAPABILITY;
    type Table = DnsTable;

    fn choice(table: &DnsTable) -> Choice {
        table.choice()
    }

    fn validate(table: &DnsTable, rules: &Rules<'_>) -> Result<(), ConfigError> {
        table.validate(rules)
    }

    fn share(table: &DnsTable, _secrets: &Secrets, shared: &mut Shared) {
        let timeout = table.timeout.0;
        shared.resolver = match table.provider.get_ref() {
            DnsProvider::Server => {
                let servers = table.servers.iter().map(|server| server.0).collect();
                Resolver::of_servers(servers, timeout)
            }
            DnsProvider::Hosts => {
                let hosts = table.hosts.as_deref().unwrap_or(Path::new("/etc/hosts"));
                Resolver::Hosts(shared.place.resolve(hosts))
            }
            // Live systems of a site whose `dns` is not live are found by the system's resolver.
            DnsProvider::System | DnsProvider::Lab | DnsProvider::Absent => {
                Resolver::System(timeout)
            }
        };
    }

    fn new(_table: Arc<DnsTable>, _secrets: &Secrets, shared: &Shared) -> Self {
        Dns {
            resolver: shared.resolver.clone(),
        }
    }

    fn open(&self, host: &Host) -> Served {
        dns::serve(HostAddresses {
            target: host.target.clone(),
            resolver: self.resolver.clone(),
        })
    }

    async fn check_host(&self, host: &Host, call: &Call) -> Vec<CheckLine> {
        let Ok(names) = host.target.names(call) else {
            return Vec::new();
        };
        let mut lines = Vec::new();
        for name in [Some(&names.fqdn), names.management.as_ref()]
            .into_iter()
            .flatten()
        {
            let found = self.resolver.resolve(name).await;
            lines.push(CheckLine::of_answer(
                format!("name {name}"),
                found.map(|addresses| {
                    let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                    words.join(", ")
                }),
            ));
        }
        lines
    }
}

/// The live provider, for one host.
struct HostAddresses {
    target: Target,
    resolver: Resolver,
}

impl Provider for HostAddresses {
    async fn resolve(&self, call: &Call, name: HostName) -> Result<Vec<String>, Fault> {
        let names = self.target.names(call)?;
        let name = match name {
            HostName::Host => &names.fqdn,
            HostName::Management => names.management()?,
        };
        let addresses = self.resolver.resolve(name).await?;
        Ok(addresses.iter().map(IpAddr::to_string).collect())
    }
}
