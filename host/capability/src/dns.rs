//! Name resolution for the two names of the run's host.

pub use crate::bindings::wreimage::dns::dns::HostName;

crate::table::effects! {
    /// Resolves the names of the run's host.
    dns "wreimage:dns/dns@0.1.0" served by Provider in crate::bindings::wreimage::dns::dns;
    read resolve(name: HostName) -> Vec<String>;
}
