//! Which guest may do what to which hosts.

use serde::Deserialize;
use toml::Spanned;
use wreimage_live::pattern;

/// One `[[grants]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grant {
    /// Name of the guest, as it describes itself.
    pub guest: String,
    /// SHA-256 of the guest's bytes in lower-case hexadecimal; without it any guest of that name.
    pub digest: Option<Spanned<String>>,
    /// Interface names, such as `ipmi`.
    pub capabilities: Vec<Spanned<String>>,
    /// Short names of hosts; `*` stands for any text.
    pub hosts: Vec<String>,
}

impl Grant {
    /// Whether this grant speaks of this guest and this host.
    pub fn applies(&self, guest: &str, digest: &str, host: &str) -> bool {
        self.guest == guest
            && self
                .digest
                .as_ref()
                .is_none_or(|pinned| pinned.get_ref() == digest)
            && self.hosts.iter().any(|glob| pattern::matches(glob, host))
    }

    /// The interface names that it grants.
    pub fn capabilities(&self) -> impl Iterator<Item = &str> {
        self.capabilities.iter().map(|name| name.get_ref().as_str())
    }
}
