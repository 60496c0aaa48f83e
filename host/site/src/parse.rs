//! From the text of a site file to its tables.

use crate::file::SiteFile;
use crate::rules;
use serde::Deserialize;
use std::path::Path;
use toml::de::{DeTable, Deserializer};
use wreimage_live::{ConfigError, Rules, Tables, bounded};

/// The keys of a site file that belong to no capability: the fields of [`SiteFile`]. A capability's table has the name of the
/// capability.
const KEYS: [&str; 13] = [
    "name",
    "domain",
    "management",
    "state",
    "console",
    "lease",
    "lab",
    "grants",
    "limits",
    "waits",
    "policy",
    "notify",
    "retention",
];
/// Behind this one the capabilities stand in the list of keys.
const BEFORE_CAPABILITIES: &str = "console";

impl SiteFile {
    /// Reads and checks a site file. Nothing else is read: neither secrets nor the inventory.
    ///
    /// # Errors
    /// When the file cannot be read, has a key that is not known, lacks one that its providers need, or has a value that
    /// makes no sense. The error names line and key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = bounded::read(path, bounded::DESCRIPTION)
            .map_err(|error| ConfigError::unreadable(path, error))?;
        Self::parse(path, &text)
    }

    /// The same, from a text that was read from `path`.
    ///
    /// # Errors
    /// As [`SiteFile::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let wrong = |error: toml::de::Error| ConfigError::toml(path, text, &error);
        let rules = Rules::new(path, text);
        let mut keys = DeTable::parse(text).map_err(wrong)?;
        refuse_unknown(&rules, keys.get_ref())?;
        let tables = Tables::take(keys.get_mut()).map_err(wrong)?;
        let own = SiteFile::deserialize(Deserializer::from(keys)).map_err(wrong)?;
        let file = SiteFile { tables, ..own };
        rules::check(&rules, &file)?;
        Ok(file)
    }
}

fn refuse_unknown(rules: &Rules<'_>, keys: &DeTable<'_>) -> Result<(), ConfigError> {
    let known: Vec<&str> = KEYS
        .iter()
        .flat_map(|key| {
            let is_before = *key == BEFORE_CAPABILITIES;
            let capabilities = is_before.then(Tables::names).into_iter().flatten();
            std::iter::once(*key).chain(capabilities)
        })
        .collect();
    let unknown = keys
        .keys()
        .find(|key| !known.contains(&key.get_ref().as_ref()));
    let Some(key) = unknown else { return Ok(()) };
    let quoted: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    let name = key.get_ref();
    let message = format!(
        "unknown key `{name}`; the keys known here: {}",
        quoted.join(", ")
    );
    Err(rules.error(key.span(), name, message))
}
