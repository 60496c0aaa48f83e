//! Where a guest's call enters the host.

use crate::{Fault, Function};
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Which component of a guest makes a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// The guest itself.
    #[default]
    Guest,
    /// The component of this number that is plugged into it, counted from 1.
    Plug(usize),
}

/// The one place that every call of a guest passes, whatever the capability and the provider.
pub trait Gate: Send {
    /// Answers one call.
    ///
    /// The outer error stops the guest (a pause, a second Ctrl-C); the inner one is the guest's to handle.
    fn call<'a>(
        &'a mut self,
        caller: Caller,
        function: &'static Function,
        arguments: Value,
    ) -> BoxFuture<'a, wasmtime::Result<Result<Value, Fault>>>;
}

/// Implements every interface of the world by handing the call to a [`Gate`].
pub struct Border {
    gate: Box<dyn Gate>,
    /// Calls follow each other: it is the one of the call that goes on.
    caller: Caller,
    calls: u64,
}

impl Border {
    /// A border that hands every call to `gate`.
    pub fn new(gate: Box<dyn Gate>) -> Self {
        Border {
            gate,
            caller: Caller::default(),
            calls: 0,
        }
    }

    /// How many calls have been answered: the engine gives the guest new fuel after each.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    pub(crate) fn is_called_by(&mut self, caller: Caller) {
        self.caller = caller;
    }

    pub(crate) async fn call<R: DeserializeOwned>(
        &mut self,
        function: &'static Function,
        arguments: Value,
    ) -> wasmtime::Result<Result<R, Fault>> {
        let answer = self.gate.call(self.caller, function, arguments).await;
        self.calls = self.calls.wrapping_add(1);
        match answer? {
            Ok(outcome) => Ok(serde_json::from_value(outcome).map_err(|error| {
                Fault::other(
                    "gate.outcome",
                    "wreimage",
                    format!("the outcome of {function} cannot be read: {error}"),
                )
            })),
            Err(fault) => Ok(Err(fault)),
        }
    }
}

/// Arguments as a JSON object, in the order of the parameters.
pub(crate) fn arguments<const N: usize>(
    pairs: [(&str, serde_json::Result<Value>); N],
) -> serde_json::Result<Value> {
    let mut object = Map::new();
    for (name, value) in pairs {
        object.insert(name.to_owned(), value?);
    }
    Ok(Value::Object(object))
}

pub(crate) fn value(of: &impl Serialize) -> serde_json::Result<Value> {
    serde_json::to_value(of)
}

/// Reads one argument back.
pub(crate) fn argument<T: DeserializeOwned>(
    function: &Function,
    arguments: &Value,
    name: &str,
) -> Result<T, Fault> {
    let value = arguments.get(name).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|error| {
        Fault::other(
            "gate.argument",
            "wreimage",
            format!("argument `{name}` of {function} cannot be read: {error}"),
        )
    })
}
