//! What Puppet knows of the host.

use crate::WaitPolicy;
pub use crate::bindings::wreimage::puppetdb::puppetdb::HostKey;
use crate::role::{self, Role};
use serde_json::Value;

crate::table::effects! {
    /// Speaks to PuppetDB for the run's host.
    puppetdb "wreimage:puppetdb/puppetdb@0.1.0" served by Provider in crate::bindings::wreimage::puppetdb::puppetdb;
    read is_known() -> bool;
    read get_host_keys() -> Vec<HostKey>,
        role Role::HostKeys(host_keys);
    read get_fact(name: String) -> Option<String>;
    wait wait_for_resource(resource_type: String, policy: WaitPolicy) -> ();
    write deactivate() -> bool;
}

fn host_keys(answer: &Value) -> Option<Vec<role::HostKey>> {
    let keys: Vec<HostKey> = serde_json::from_value(answer.clone()).ok()?;
    let keys = keys.into_iter().map(|it| role::HostKey {
        fingerprint: it.fingerprint,
        reported_ms: it.reported_ms,
    });
    Some(keys.collect())
}
