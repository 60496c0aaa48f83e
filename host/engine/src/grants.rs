//! Which guest may call what, for which host.

use crate::imports::Import;
use std::collections::BTreeSet;
use wreimage_capability::{Capability, Fault, Function, Server};

/// What the guest of one run may call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    all: bool,
    capabilities: BTreeSet<String>,
    /// Where the grants come from, for messages: `the site file /etc/…`.
    source: String,
}

/// The capabilities that a site does not have.
pub type Absent = BTreeSet<String>;

impl Grants {
    /// Everything: the lab.
    pub fn all(source: impl Into<String>) -> Self {
        Grants {
            all: true,
            capabilities: BTreeSet::new(),
            source: source.into(),
        }
    }

    /// These capabilities.
    pub fn only(capabilities: impl IntoIterator<Item = String>, source: impl Into<String>) -> Self {
        Grants {
            all: false,
            capabilities: capabilities.into_iter().collect(),
            source: source.into(),
        }
    }

    /// Whether the capability may be called. What the engine itself answers touches nothing and is always granted.
    pub fn allow(&self, capability: &Capability) -> bool {
        self.all
            || capability.server == Server::Engine
            || self.capabilities.contains(capability.name)
    }

    pub(crate) fn allow_call(&self, function: &Function) -> bool {
        wreimage_capability::capability(function.capability).is_some_and(|c| self.allow(c))
    }

    /// The first import that is not granted, as a message.
    /// What the site does not have needs no grant: its functions answer `unsupported`.
    pub(crate) fn refuse(&self, imports: &[Import], absent: &Absent) -> Option<String> {
        let refused = imports
            .iter()
            .find(|i| !self.allow(i.capability) && !absent.contains(i.capability.name))?;
        let functions: Vec<String> = refused
            .functions
            .iter()
            .map(|f| format!("`{}` ({})", f.name, f.effect))
            .collect();
        Some(format!(
            "the guest imports {} ({}), which {} does not grant it; this host offers it as {}: grant `{}` to this guest, or \
             use a guest that does without",
            refused.interface,
            functions.join(", "),
            self.source,
            refused.capability.interface,
            refused.capability.name,
        ))
    }

    pub(crate) fn denied(&self, function: &Function) -> Fault {
        Fault::denied(
            "gate.not-granted",
            "wreimage",
            format!("{function} is not granted to this guest by {}", self.source),
        )
    }
}
