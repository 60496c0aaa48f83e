//! `[netbox]`: the inventory.

use crate::ConfigError;
use crate::capability::Choice;
use crate::rules::Rules;
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

/// Who serves `netbox`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetboxProvider {
    /// A file of the site.
    File,
    /// The simulated data centre.
    Lab,
    /// The site has none.
    Absent,
}

/// `[netbox]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetboxTable {
    /// Who serves it.
    pub provider: Spanned<NetboxProvider>,
    /// The inventory file; relative to the site file.
    pub inventory: Option<PathBuf>,
}

impl NetboxTable {
    pub(super) fn choice(&self) -> Choice {
        match self.provider.get_ref() {
            NetboxProvider::Lab => Choice::Lab,
            NetboxProvider::Absent => Choice::Absent,
            _ => Choice::Live,
        }
    }

    pub(super) fn validate(&self, rules: &Rules<'_>) -> Result<(), ConfigError> {
        if self.choice() != Choice::Live {
            return Ok(());
        }
        let (at, there) = (self.provider.span(), self.inventory.is_some());
        rules.needs(there, at, "netbox", "file", "inventory")
    }
}
