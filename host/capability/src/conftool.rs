//! The services that the host is pooled in.

pub use crate::bindings::wreimage::conftool::conftool::PoolObject;

use crate::role::Role;
use serde_json::Value;

crate::table::effects! {
    /// Speaks to conftool for the run's host.
    conftool "wreimage:conftool/conftool@0.1.0" served by Provider in crate::bindings::wreimage::conftool::conftool;
    read get_objects() -> Vec<PoolObject>,
        role Role::Services(services);
    write set_pooled(value: String) -> Vec<PoolObject>,
        role Role::SetsServices(serves);
}

/// The value with which a host serves.
const POOLED: &str = "yes";

fn services(answer: &Value) -> Option<Vec<String>> {
    let objects: Vec<PoolObject> = serde_json::from_value(answer.clone()).ok()?;
    let pooled = objects.into_iter().filter(|it| it.pooled == POOLED);
    Some(
        pooled
            .map(|it| format!("{} of {}", it.service, it.cluster))
            .collect(),
    )
}

fn serves(arguments: &Value) -> Option<bool> {
    Some(arguments.get("value")? == POOLED)
}
