//! What a function does to the world, and how it is taken back.

use crate::facts::{Facts, Validity};
use crate::role::{Role, Subject};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a call does to the world, hence how it is recorded and what a crash in the middle of it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Looks. Repeating it is harmless.
    Read,
    /// Looks until something is so or a deadline passes. The gate does the looking again.
    Wait,
    /// Changes the world, and changing it again the same way changes nothing more.
    Write,
    /// Changes the world each time. Never repeated while its outcome is unknown, unless a person says so.
    Once,
    /// Asks the operator.
    Ask,
    /// Tells the host something; the world is not touched.
    Note,
}

impl Effect {
    /// Whether such a call changes something outside the host.
    pub fn mutates(self) -> bool {
        matches!(self, Effect::Write | Effect::Once)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Effect::Read => "read",
            Effect::Wait => "wait",
            Effect::Write => "write",
            Effect::Once => "once",
            Effect::Ask => "ask",
            Effect::Note => "note",
        })
    }
}

/// How a mutation is taken back if it must not outlive the run.
#[derive(Debug)]
pub struct Inverse {
    /// Function of the same capability, without arguments.
    pub function: &'static str,
    /// Whether taking it back is still right, from what the run has seen.
    pub valid: fn(&Facts) -> Validity,
    /// What is taken back, for people: `the DHCP entry`.
    pub thing: &'static str,
}

/// One function of a capability.
#[derive(Debug)]
pub struct Function {
    /// Interface name, such as `ipmi`.
    pub capability: &'static str,
    /// Name in WIT, such as `set-power`.
    pub name: &'static str,
    /// Its effect class.
    pub effect: Effect,
    /// What takes it back, for a mutation that must not outlive the run.
    pub inverse: Option<Inverse>,
    /// Who decides when nothing can tell whether it happened; for a `once` call.
    pub doubt: Doubt,
    /// What it means to the engine.
    pub roles: &'static [Role],
    /// What it returns: only of nothing can a person supply it.
    pub returns: Returns,
    /// Reads an outcome of it from plain values and gives it back as it was understood: a field that its type does not
    /// have is gone.
    ///
    /// # Errors
    /// When it is no outcome of this function.
    pub understand: fn(&serde_json::Value) -> serde_json::Result<serde_json::Value>,
}

/// What a function returns when it succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// Nothing.
    Nothing,
    /// Yes or no: of a mutation, whether there was anything to change.
    YesOrNo,
    /// Something else.
    Other,
}

impl Returns {
    /// By the name of the type, as the effect table has it.
    pub(crate) const fn of(name: &str) -> Self {
        match name.as_bytes() {
            b"()" => Returns::Nothing,
            b"bool" => Returns::YesOrNo,
            _ => Returns::Other,
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.capability, self.name)
    }
}

/// Who decides what to do about a `once` call of which nothing can tell whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The operator is asked before anything else is done: to make the call again, or to go on without it, could hurt.
    Asked,
    /// The guest is told and decides: that it happened twice, or not at all, hurts nobody.
    Told,
}

/// Who answers the functions of a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// A provider that the site or the lab chooses.
    Provider,
    /// The engine itself.
    Engine,
}

/// One capability: a WIT interface that the host offers.
#[derive(Debug)]
pub struct Capability {
    /// Name of the interface, such as `ipmi`.
    pub name: &'static str,
    /// Full name with its version, such as `wreimage:ipmi/ipmi@0.1.0`.
    pub interface: &'static str,
    /// Who answers.
    pub server: Server,
    /// What its functions act on.
    pub subject: Subject,
    /// The effect table.
    pub functions: &'static [&'static Function],
}

impl Capability {
    /// The function of that WIT name.
    pub fn function(&self, name: &str) -> Option<&'static Function> {
        self.functions.iter().copied().find(|f| f.name == name)
    }
}
