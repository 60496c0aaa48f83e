//! The one host that a run is bound to, and its names.

use crate::ConfigError;
use std::net::IpAddr;
use wreimage_capability::{Call, Fault, HostSnapshot};

/// How the site file derives the names of its hosts.
#[derive(Debug, Clone)]
pub struct Naming {
    /// The domain of the hosts.
    pub domain: String,
    /// The name of a management interface; `{host}` and `{domain}` are filled in.
    pub management: String,
}

impl Naming {
    fn management(&self, host: &str) -> String {
        let name = self.management.replace("{host}", host);
        name.replace("{domain}", &self.domain)
    }
}

/// The host of a run. Its names come from the inventory's record that goes with each call; at a site without an inventory
/// they follow from the site file.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) host: String,
    /// As the site file derives them.
    derived: HostNames,
    /// Whether the site has an inventory of its real systems: then nothing is derived.
    has_inventory: bool,
}

/// The names of a host, and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostNames {
    pub(crate) host: String,
    pub(crate) fqdn: String,
    /// `None` when the inventory says that it has no management interface.
    pub(crate) management: Option<String>,
    pub(crate) primary_ip: Option<IpAddr>,
    /// The addresses of the BMC that was checked; empty before.
    pub(crate) bmc_addresses: Vec<IpAddr>,
}

impl Target {
    /// `has_inventory`: the names come from the inventory, as the site has one of its real systems.
    ///
    /// # Errors
    /// When `host` is no short name, or a name that follows from it is none.
    pub(crate) fn new(
        naming: &Naming,
        host: &str,
        has_inventory: bool,
    ) -> Result<Self, ConfigError> {
        if !is_label(host) {
            return Err(ConfigError::HostName(host.to_owned()));
        }
        let derived = HostNames {
            host: host.to_owned(),
            fqdn: format!("{host}.{}", naming.domain),
            management: Some(naming.management(host)),
            primary_ip: None,
            bmc_addresses: Vec::new(),
        };
        for name in derived.all() {
            if !is_name(name) {
                return Err(ConfigError::BadName {
                    host: host.to_owned(),
                    name: name.escape_debug().to_string(),
                });
            }
        }
        Ok(Target {
            host: host.to_owned(),
            derived,
            has_inventory,
        })
    }

    /// What the site file derives from the host's name, for an inventory entry that does not name it.
    pub(crate) fn derived(&self) -> &HostNames {
        &self.derived
    }

    /// The host's names, as they were checked.
    ///
    /// # Errors
    /// When the inventory was not read, or has a name that is none.
    pub(crate) fn names(&self, call: &Call) -> Result<HostNames, Fault> {
        let Some(snapshot) = &call.snapshot else {
            if self.has_inventory {
                return Err(Fault::unreachable(
                    "site.no-inventory-record",
                    "inventory",
                    format!(
                        "the inventory did not report the names and addresses of {}, so nothing was asked",
                        self.host
                    ),
                ));
            }
            return Ok(self.derived.clone());
        };
        self.names_in(snapshot)
    }

    /// The host's names as a snapshot has them. Where the inventory is not that of the real systems, they are derived.
    pub(crate) fn names_in(&self, snapshot: &HostSnapshot) -> Result<HostNames, Fault> {
        if !self.has_inventory {
            return Ok(HostNames {
                bmc_addresses: snapshot.bmc_addresses.clone(),
                ..self.derived.clone()
            });
        }
        let device = &snapshot.device;
        let names = HostNames {
            host: self.host.clone(),
            fqdn: device.fqdn.clone(),
            management: device.management_fqdn.clone(),
            primary_ip: device.primary_ip.as_ref().and_then(|ip| ip.parse().ok()),
            bmc_addresses: snapshot.bmc_addresses.clone(),
        };
        let wrong = names.all().find(|name| !is_name(name)).map(str::to_owned);
        match wrong {
            None => Ok(names),
            Some(wrong) => Err(Fault::rejected(
                "site.bad-name",
                "inventory",
                format!(
                    "the inventory gives {} the name `{}`, which is no host name; correct it there",
                    self.host,
                    wrong.escape_debug()
                ),
            )),
        }
    }
}

impl HostNames {
    fn all(&self) -> impl Iterator<Item = &str> {
        [Some(&self.fqdn), self.management.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// The name of the management interface.
    ///
    /// # Errors
    /// `unsupported` for a machine without one.
    pub(crate) fn management(&self) -> Result<&str, Fault> {
        self.management.as_deref().ok_or_else(|| {
            Fault::unsupported(
                "dns.no-management",
                "inventory",
                format!(
                    "{} has no management interface: the inventory calls it virtual",
                    self.fqdn
                ),
            )
        })
    }

    /// Fills `{host}`, `{fqdn}` and `{management}`.
    pub(crate) fn fill(&self, template: &str) -> String {
        template
            .replace("{host}", &self.host)
            .replace("{fqdn}", &self.fqdn)
            .replace(
                "{management}",
                self.management.as_deref().unwrap_or("(no management)"),
            )
    }
}

/// Whether it is one label of a host name.
pub(crate) fn is_label(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether it is a host name with dots.
pub fn is_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_labels_are_host_names() {
        assert!(is_label("host1001"));
        for wrong in ["", "Host", "a.b", "-a", "a-", "../a", "a b", "a\n", "ä"] {
            assert!(!is_label(wrong), "{wrong:?}");
        }
        assert!(is_name("host1001.lab1.test"));
        assert!(!is_name("host1001..test"));
    }
}
