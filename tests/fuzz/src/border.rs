//! Values at the border: what a guest passes to a capability, and what a provider or a journal gives back.

use crate::shared::{lab, runtime};
use crate::text;
use serde_json::Value;
use std::time::Duration;
use wreimage_capability::{ALL, Call, Function};

fn functions() -> Vec<&'static Function> {
    ALL.iter().flat_map(|it| it.functions).copied().collect()
}

/// The first line names a function, the rest is JSON: as its arguments they reach the provider of the lab, as its outcome they are
/// read back as from a journal.
pub fn border(data: &[u8]) {
    let text = text(data);
    let Some((name, rest)) = text.split_once('\n') else {
        return;
    };
    let functions = functions();
    let named = functions.iter().find(|it| it.to_string() == name);
    // A name that is mutated names another function.
    let sum: usize = name.bytes().map(usize::from).sum();
    let Some(function) = named.or_else(|| functions.get(sum % functions.len())) else {
        return;
    };
    let Ok(value) = serde_json::from_str::<Value>(rest) else {
        return;
    };
    // An outcome that is understood is understood in the same way when it is written down and read again.
    if let Ok(once) = (function.understand)(&value) {
        let twice = (function.understand)(&once).expect("what was understood is understood again");
        assert_eq!(once, twice);
    }
    perform(function, &value);
}

/// Performs a call in the lab.
fn perform(function: &'static Function, arguments: &Value) {
    let providers = lab().providers("host1001");
    // `operator`, `run` and `clock` are served by the engine.
    let Some(provider) = providers.get(function.capability) else {
        return;
    };
    let call = Call::alone();
    let answer = async {
        let answer = provider.perform(&call, function, arguments).await;
        if let Err(fault) = &answer {
            assert!(
                !fault.message.is_empty() && !fault.code.is_empty(),
                "{fault:?}"
            );
        }
        let _ = provider.witness(&call, function, arguments).await;
        let _ = provider
            .reconcile(&call, function, arguments, arguments)
            .await;
    };
    let ended =
        runtime().block_on(async { tokio::time::timeout(Duration::from_secs(5), answer).await });
    assert!(ended.is_ok(), "{function} does not answer");
}
