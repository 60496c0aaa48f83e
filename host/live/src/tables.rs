//! The tables of a site file that belong to capabilities.

use crate::ConfigError;
use crate::capability::{Choice, LiveCapability, NamedFile};
use crate::list::CAPABILITIES;
use crate::row::ReadTable;
use crate::rules::Rules;
use crate::shared::Place;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use toml::de::{DeTable, ValueDeserializer};

/// The tables of a site file that belong to capabilities, in the order of the list.
#[derive(Clone, Default)]
pub struct Tables(Vec<(&'static str, Arc<dyn ReadTable>)>);

impl Tables {
    /// The names of all tables that can be read, in the order of the list.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CAPABILITIES.iter().map(|row| row.name())
    }

    /// Takes the tables of capabilities out of a site file.
    ///
    /// # Errors
    /// When a table has a key that is not known, lacks one, or has a value of another type.
    pub fn take(file: &mut DeTable<'_>) -> Result<Self, toml::de::Error> {
        let mut tables = Vec::new();
        for row in CAPABILITIES {
            if let Some(value) = file.remove(row.name()) {
                tables.push((row.name(), row.read(ValueDeserializer::from(value))?));
            }
        }
        Ok(Tables(tables))
    }

    /// Checks the rules of each table.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self, rules: &Rules<'_>) -> Result<(), ConfigError> {
        self.iter().try_for_each(|table| table.validate(rules))
    }

    /// Who serves each capability that has a live provider. One without a table is absent.
    pub fn choices(&self) -> BTreeMap<&'static str, Choice> {
        let mut choices: BTreeMap<_, _> = Self::names().map(|it| (it, Choice::Absent)).collect();
        choices.extend(self.0.iter().map(|(name, table)| (*name, table.choice())));
        choices
    }

    /// Whether a table names an install server that is live.
    pub fn has_install_server(&self) -> bool {
        self.iter().any(|table| table.has_install_server())
    }

    /// The files that the tables name, each with what was found in it.
    pub fn files(&self, place: &Place) -> Vec<NamedFile> {
        self.iter().flat_map(|table| table.files(place)).collect()
    }

    /// The table of one capability, when the file has it.
    pub fn of<C: LiveCapability>(&self) -> Option<&C::Table> {
        let mut tables = self.iter();
        tables.find_map(|table| table.as_any().downcast_ref::<C::Table>())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn ReadTable>> {
        self.0.iter().map(|(_, table)| table)
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}
