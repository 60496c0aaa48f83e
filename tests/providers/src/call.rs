//! Calling providers as the gate does.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use wreimage_capability::{Call, Dispatch, Fault, Function, Polled, Providers, Reconciled, Sink};

/// Remembers what a call leaves besides its outcome.
#[derive(Default)]
pub struct Notes {
    /// Lines of progress.
    pub progress: Mutex<Vec<String>>,
    /// What was kept.
    pub kept: Mutex<Vec<Vec<u8>>>,
}

impl Sink for Notes {
    fn progress(&self, text: &str) {
        self.progress.lock().unwrap().push(text.to_owned());
    }

    fn keep(&self, bytes: &[u8]) -> Option<String> {
        self.kept.lock().unwrap().push(bytes.to_owned());
        Some(format!("blob of {}", bytes.len()))
    }

    fn not_previewed(&self, _why: &str) {}
}

/// The provider and table entry of a function such as `ipmi.set-power`.
pub fn find(providers: &Providers, function: &str) -> (Arc<dyn Dispatch>, &'static Function) {
    let function = wreimage_capability::function(function).unwrap();
    (providers.get(function.capability).unwrap(), function)
}

/// Calls a function with a call of its own making.
pub async fn with<T: DeserializeOwned>(
    call: &Call,
    providers: &Providers,
    function: &str,
    arguments: Value,
) -> Result<Polled<T>, Fault> {
    let (provider, function) = find(providers, function);
    Ok(match provider.perform(call, function, &arguments).await? {
        Polled::Ready(value) => Polled::Ready(serde_json::from_value(value).unwrap()),
        Polled::Pending { why, again } => Polled::Pending { why, again },
    })
}

/// Calls a function outside of a run.
pub async fn ask<T: DeserializeOwned>(
    providers: &Providers,
    function: &str,
    arguments: Value,
) -> Result<T, Fault> {
    match with(&Call::alone(), providers, function, arguments).await? {
        Polled::Ready(outcome) => Ok(outcome),
        Polled::Pending { why, .. } => panic!("{function} is pending: {why}"),
    }
}

/// The witness of a call.
pub async fn witness(providers: &Providers, function: &str, arguments: &Value) -> Value {
    let (provider, function) = find(providers, function);
    provider
        .witness(&Call::alone(), function, arguments)
        .await
        .unwrap_or_else(|fault| panic!("{fault:?}"))
}

/// What the world says about a call.
pub async fn reconcile(
    providers: &Providers,
    function: &str,
    arguments: &Value,
    witness: &Value,
) -> Reconciled {
    reconcile_of(&Call::alone(), providers, function, arguments, witness).await
}

/// What the world says about this call.
pub async fn reconcile_of(
    call: &Call,
    providers: &Providers,
    function: &str,
    arguments: &Value,
    witness: &Value,
) -> Reconciled {
    let (provider, function) = find(providers, function);
    provider
        .reconcile(call, function, arguments, witness)
        .await
        .unwrap_or_else(|fault| panic!("{fault:?}"))
}
