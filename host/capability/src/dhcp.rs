//! The temporary DHCP entry that lets the machine boot the installer.

pub use crate::bindings::wreimage::dhcp::dhcp::{BootMethod, Entry, MatchKind, Published, Release};

crate::table::effects! {
    /// Publishes and withdraws the DHCP entry of the run's host.
    dhcp "wreimage:dhcp/dhcp@0.1.0" served by Provider in crate::bindings::wreimage::dhcp::dhcp;
    read get_releases() -> Vec<Release>;
    read get_published() -> Option<Published>;
    write publish(entry: Entry) -> Published,
        undo withdraw if crate::Facts::always as "the DHCP entry";
    write withdraw() -> bool;
    write clear() -> bool;
}
