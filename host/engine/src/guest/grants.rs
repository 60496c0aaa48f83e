//! Which component of a guest may call what, for which host.

use crate::guest::imports::{Import, who};
use crate::guest::load::Guest;
use std::collections::BTreeSet;
use wreimage_capability::{Caller, Capability, Fault, Function, Server};

/// What the guest of one run may call, and each component that is plugged into it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    all: bool,
    guest: BTreeSet<String>,
    /// In the order in which they are plugged in.
    plugs: Vec<BTreeSet<String>>,
    /// Where the grants come from, for messages: `the site file /etc/…`.
    source: String,
}

/// The capabilities that a site does not have.
pub type Absent = BTreeSet<String>;

impl Grants {
    /// Everything, to all components: the lab.
    pub fn all(source: impl Into<String>) -> Self {
        Grants {
            all: true,
            source: source.into(),
            ..Grants::default()
        }
    }

    /// These capabilities to the guest, and none to what is plugged into it.
    pub fn only(capabilities: impl IntoIterator<Item = String>, source: impl Into<String>) -> Self {
        Grants {
            guest: capabilities.into_iter().collect(),
            source: source.into(),
            ..Grants::default()
        }
    }

    /// These capabilities to the next component that is plugged in.
    #[must_use]
    pub fn and_to_plug(mut self, capabilities: impl IntoIterator<Item = String>) -> Self {
        self.plugs.push(capabilities.into_iter().collect());
        self
    }

    /// Whether the capability may be called. What the engine itself answers touches nothing and is always granted.
    pub fn allow(&self, caller: Caller, capability: &Capability) -> bool {
        self.all
            || capability.server == Server::Engine
            || self
                .of(caller)
                .is_some_and(|granted| granted.contains(capability.name))
    }

    fn of(&self, caller: Caller) -> Option<&BTreeSet<String>> {
        match caller {
            Caller::Guest => Some(&self.guest),
            Caller::Plug(number) => self.plugs.get(number.checked_sub(1)?),
        }
    }

    pub(crate) fn allow_call(&self, caller: Caller, function: &Function) -> bool {
        self.all
            || self
                .of(caller)
                .is_some_and(|granted| granted.contains(function.capability))
    }

    /// The first import of a component that is not granted to it, as a message: such a guest is not run.
    /// What the site does not have needs no grant: its functions answer `unsupported`.
    pub fn refuse(&self, guest: &Guest, absent: &Absent) -> Option<String> {
        let refused = guest
            .all_imports()
            .find(|i| !self.allow(i.caller, i.capability) && !absent.contains(i.capability.name))?;
        Some(self.refusal(refused, guest.plug_name(refused.caller)))
    }

    fn refusal(&self, refused: &Import, plug: Option<&str>) -> String {
        let functions: Vec<String> = refused
            .functions
            .iter()
            .map(|f| format!("`{}` ({})", f.name, f.effect))
            .collect();
        let who = who(plug);
        let (to, instead) = match plug {
            None => (
                "this guest".to_owned(),
                "use a guest that does without".to_owned(),
            ),
            Some(name) => (
                format!("the component by a table `[[grants]]` with guest = {name:?}"),
                "leave it out".to_owned(),
            ),
        };
        format!(
            "{who} imports {} ({}), which {} does not grant it; this host offers it as {}: grant `{}` to {to}, or {instead}",
            refused.interface,
            functions.join(", "),
            self.source,
            refused.capability.interface,
            refused.capability.name,
        )
    }

    pub(crate) fn denied(&self, who: &str, function: &Function) -> Fault {
        Fault::denied(
            "gate.not-granted",
            "wreimage",
            format!("{function} is not granted to {who} by {}", self.source),
        )
    }
}
