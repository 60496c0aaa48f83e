//! Names by name servers that the site file names.

use super::{not_found, timed_out};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use wreimage_capability::Fault;

/// Name servers; a resolver is built for each look-up, so that nothing is cached: a name may have been added a moment ago.
#[derive(Debug, Clone)]
pub(crate) struct NameServers {
    addresses: Vec<SocketAddr>,
    timeout: Duration,
}

impl fmt::Display for NameServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        write!(f, "name server {}", names.join(", "))
    }
}

impl NameServers {
    pub(super) fn new(addresses: Vec<SocketAddr>, timeout: Duration) -> Self {
        NameServers { addresses, timeout }
    }

    fn resolver(&self) -> Result<TokioResolver, String> {
        let servers = self.addresses.iter().map(|address| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
                .into_iter()
                .map(|mut connection| {
                    connection.port = address.port();
                    connection
                })
                .collect();
            NameServerConfig::new(address.ip(), true, connections)
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = self.timeout / 2;
        options.attempts = 2;
        options.use_hosts_file = hickory_resolver::config::ResolveHosts::Never;
        options.ip_strategy = hickory_resolver::config::LookupIpStrategy::Ipv4AndIpv6;
        builder.build().map_err(|error| error.to_string())
    }

    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        let system = self.to_string();
        let unreachable = |why: String| {
            Fault::unreachable(
                "dns.unreachable",
                system.clone(),
                format!("{system} cannot look up {name}: {why}"),
            )
        };
        let resolver = self.resolver().map_err(unreachable)?;
        // A final dot: the name is a full one, and no search list applies.
        let full = format!("{}.", name.trim_end_matches('.'));
        match tokio::time::timeout(self.timeout, resolver.lookup_ip(full)).await {
            Ok(Ok(found)) => Ok(found.iter().collect()),
            Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => {
                Err(not_found(&system, name))
            }
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_) => Err(timed_out(&system, name, self.timeout)),
        }
    }
}
