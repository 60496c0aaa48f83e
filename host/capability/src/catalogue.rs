//! The capabilities that a run works with.

use crate::role::Role;
use crate::{Capability, Function, Subject};
use std::fmt;

/// A list of capabilities, found by name and by role.
#[derive(Clone, Copy)]
pub struct Catalogue(&'static [&'static Capability]);

impl Catalogue {
    /// These capabilities.
    pub const fn new(capabilities: &'static [&'static Capability]) -> Self {
        Catalogue(capabilities)
    }

    /// All of them, in order.
    pub fn iter(self) -> std::iter::Copied<std::slice::Iter<'static, &'static Capability>> {
        self.0.iter().copied()
    }

    /// The capability of that interface name.
    pub fn capability(self, name: &str) -> Option<&'static Capability> {
        self.iter().find(|it| it.name == name)
    }

    /// The function of that full name, such as `ipmi.set-power`.
    pub fn function(self, full_name: &str) -> Option<&'static Function> {
        let (capability, name) = full_name.split_once('.')?;
        self.capability(capability)?.function(name)
    }

    /// What a function acts on.
    pub fn subject(self, function: &Function) -> Subject {
        self.capability(function.capability)
            .map_or(Subject::Other, |it| it.subject)
    }

    /// The functions with a role, and what `pick` takes of it, in order.
    pub fn with_role<T>(
        self,
        pick: impl Fn(&Role) -> Option<T>,
    ) -> impl Iterator<Item = (&'static Function, T)> {
        self.iter()
            .flat_map(|it| it.functions)
            .filter_map(move |function| Some((*function, function.role(&pick)?)))
    }
}

/// The capabilities of this host.
impl Default for Catalogue {
    fn default() -> Self {
        crate::ALL
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|it| it.name))
            .finish()
    }
}

impl IntoIterator for Catalogue {
    type Item = &'static Capability;
    type IntoIter = std::iter::Copied<std::slice::Iter<'static, &'static Capability>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
