//! The one host that a run is bound to.

use crate::SiteError;
use crate::file::SiteFile;
use crate::inventory::Inventory;
use wreimage_capability::Fault;

/// The host of a run and its names.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) fqdn: String,
    /// `None` when the inventory says that it has no management interface.
    pub(crate) management: Option<String>,
    pub(crate) primary_ip: Option<String>,
    pub(crate) inventory: Option<Inventory>,
}

impl Target {
    pub(crate) fn new(
        file: &SiteFile,
        host: &str,
        inventory: Option<Inventory>,
    ) -> Result<Self, SiteError> {
        if !is_label(host) {
            return Err(SiteError::HostName(host.to_owned()));
        }
        let entry = match &inventory {
            Some(inventory) => inventory.read()?.hosts.remove(host),
            None => None,
        };
        let derive = |template: &str| {
            template
                .replace("{host}", host)
                .replace("{domain}", file.domain.get_ref())
        };
        let fqdn = entry
            .as_ref()
            .and_then(|entry| entry.fqdn.clone())
            .unwrap_or_else(|| format!("{host}.{}", file.domain.get_ref()));
        let management = match &entry {
            Some(entry) => entry.management_fqdn(|| derive(&file.management)),
            None => Some(derive(&file.management)),
        };
        for name in [Some(&fqdn), management.as_ref()].into_iter().flatten() {
            if !is_name(name) {
                return Err(SiteError::BadName {
                    host: host.to_owned(),
                    name: name.escape_debug().to_string(),
                });
            }
        }
        Ok(Target {
            host: host.to_owned(),
            fqdn,
            management,
            primary_ip: entry.and_then(|entry| entry.primary_ip),
            inventory,
        })
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
pub(crate) fn is_name(text: &str) -> bool {
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
