//! The resolver.

use crate::seat::Seat;
use wreimage_capability::dns::{HostName, Provider};
use wreimage_capability::{Call, Fault};

pub(crate) struct Dns(pub(crate) Seat);

impl Provider for Dns {
    async fn resolve(&self, call: &Call, name: HostName) -> Result<Vec<String>, Fault> {
        let addresses = self.0.look(|machine, world| {
            let system = || format!("DNS {}", world.site());
            let (label, addresses) = match name {
                HostName::Host => (Some(machine.fqdn()), &machine.addresses.host),
                HostName::Management => (machine.management_fqdn(), &machine.addresses.management),
            };
            let Some(label) = label else {
                return Err(Fault::unsupported(
                    "dns.no-management",
                    system(),
                    format!(
                        "{} has no management interface, hence no name for one",
                        machine.name
                    ),
                ));
            };
            if addresses.is_empty() {
                return Err(Fault::not_found(
                    "dns.no-address",
                    system(),
                    format!("{label} has neither an A nor an AAAA record; add one, then try again"),
                ));
            }
            Ok(addresses.clone())
        })?;
        let asked = match name {
            HostName::Host => "dns.resolve host",
            HostName::Management => "dns.resolve management",
        };
        self.0.mark(call, asked, "the name was not resolved");
        Ok(addresses)
    }
}
