//! What Puppet knows of the host.

use crate::Patience;
pub use crate::bindings::wreimage::puppetdb::puppetdb::HostKey;

crate::table::effects! {
    /// Speaks to PuppetDB for the run's host.
    puppetdb "wreimage:puppetdb/puppetdb@0.1.0" served by Provider in crate::bindings::wreimage::puppetdb::puppetdb;
    read is_known() -> bool;
    read get_host_keys() -> Vec<HostKey>;
    read get_fact(name: String) -> Option<String>;
    wait wait_for_resource(resource_type: String, patience: Patience) -> ();
    write deactivate() -> bool;
}
