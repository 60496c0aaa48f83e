//! Calling providers as the gate does.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use wreimage_capability::{
    Call, Dispatch, Fault, Function, HostSnapshot, Polled, Providers, Reconciled, Sink,
};

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

/// The call as a run makes it: with what the inventory says of the host, read now as at a check.
pub async fn checked(call: &Call, providers: &Providers) -> Call {
    let mut call = call.clone();
    if call.snapshot.is_none() && providers.has("netbox") {
        let read = async |function: &str| {
            let (provider, function) = find(providers, function);
            let none = Value::Object(Default::default());
            match provider.perform(&Call::alone(), function, &none).await {
                Ok(Polled::Ready(value)) => Some(value),
                _ => None,
            }
        };
        if let Some(device) = read("netbox.get-device").await {
            let device = serde_json::from_value(device).unwrap();
            let port = read("netbox.get-switch-port").await;
            call.snapshot = Some(Arc::new(HostSnapshot {
                switch_port: port.map(|port| serde_json::from_value(port).unwrap()),
                ..HostSnapshot::of(device)
            }));
        }
    }
    call
}

/// Calls a function with a call of its own making.
pub async fn with<T: DeserializeOwned>(
    call: &Call,
    providers: &Providers,
    function: &str,
    arguments: Value,
) -> Result<Polled<T>, Fault> {
    let call = &checked(call, providers).await;
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
    let call = checked(&Call::alone(), providers).await;
    provider
        .witness(&call, function, arguments)
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
        .reconcile(
            &checked(call, providers).await,
            function,
            arguments,
            witness,
        )
        .await
        .unwrap_or_else(|fault| panic!("{fault:?}"))
}
