//! How the gate reaches providers: by function and plain values.

use crate::{Call, Fault, Function};
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What one look of a `wait` function saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Polled<T> {
    /// It is so; the wait ends.
    Ready(T),
    /// Not yet.
    Pending {
        /// What was seen instead, for people.
        why: String,
        /// Look again at this time instead of after the interval.
        again: Option<Timestamp>,
    },
}

impl<T> Polled<T> {
    /// Not yet, and why.
    pub fn pending(why: impl Into<String>) -> Self {
        Polled::Pending {
            why: why.into(),
            again: None,
        }
    }
}

/// A provider's answer as a plain value. Only `wait` functions answer pending.
pub type Answer = Polled<Value>;

/// What the world says about a `once` call whose outcome was lost.
#[derive(Debug, Clone, PartialEq)]
pub enum Reconciled {
    /// It happened; this is its outcome.
    Happened(Value),
    /// It did not happen.
    DidNot,
    /// The world cannot tell; the text says what was seen.
    Unknown(String),
}

impl Reconciled {
    /// It happened, and returned nothing.
    pub fn happened() -> Self {
        Reconciled::Happened(Value::Null)
    }
}

/// A provider behind plain values. Made from a typed provider by the `serve` function of its capability.
pub trait Dispatch: Send + Sync {
    /// Does what the function says; of a `wait` function, looks once.
    fn perform<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Answer, Fault>>;

    /// Looks at the world before a `once` call, so that [`Dispatch::reconcile`] can compare.
    fn witness<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
    ) -> BoxFuture<'a, Result<Value, Fault>>;

    /// Compares the world with the witness of a `once` call whose outcome is unknown.
    fn reconcile<'a>(
        &'a self,
        call: &'a Call,
        function: &'static Function,
        arguments: &'a Value,
        witness: &'a Value,
    ) -> BoxFuture<'a, Result<Reconciled, Fault>>;
}

/// The providers of one run, by capability. They are bound to its host.
#[derive(Clone, Default)]
pub struct Providers {
    served: BTreeMap<&'static str, Arc<dyn Dispatch>>,
}

impl Providers {
    /// No providers.
    pub fn new() -> Self {
        Providers::default()
    }

    /// Adds what a capability's `serve` made; replaces an earlier one.
    pub fn add(&mut self, (capability, provider): (&'static str, Arc<dyn Dispatch>)) {
        self.served.insert(capability, provider);
    }

    /// The provider of a capability.
    pub fn get(&self, capability: &str) -> Option<Arc<dyn Dispatch>> {
        self.served.get(capability).cloned()
    }

    /// Whether the capability is served.
    pub fn has(&self, capability: &str) -> bool {
        self.served.contains_key(capability)
    }

    /// The capabilities that are served.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.served.keys().copied()
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.served.keys()).finish()
    }
}

pub(crate) fn plain<T: serde::Serialize>(polled: Polled<T>) -> Result<Answer, Fault> {
    Ok(match polled {
        Polled::Ready(outcome) => {
            Polled::Ready(serde_json::to_value(outcome).map_err(|error| {
                Fault::other(
                    "gate.outcome",
                    "wreimage",
                    format!("an outcome cannot be written down: {error}"),
                )
            })?)
        }
        Polled::Pending { why, again } => Polled::Pending { why, again },
    })
}
