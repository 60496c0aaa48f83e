//! The temporary DHCP entry that lets the machine boot the installer.

pub use crate::bindings::wreimage::dhcp::dhcp::{BootMethod, Entry, MatchKind, Published, Release};

use crate::role::{Found, ReadBack, Role, Subject};
use serde_json::json;

crate::table::effects! {
    /// Publishes and withdraws the DHCP entry of the run's host.
    dhcp "wreimage:dhcp/dhcp@0.1.0" served by Provider in crate::bindings::wreimage::dhcp::dhcp,
        acts on Subject::NetworkBoot;
    read get_releases() -> Vec<Release>;
    read get_published() -> Option<Published>;
    write publish(entry: Entry) -> Published,
        undo withdraw if crate::Facts::always as "the DHCP entry",
        role Role::OffersInstaller,
        role Role::ReadBack(&ENTRY);
    write withdraw() -> bool,
        role Role::NamesItsRun;
    write clear() -> bool;
}

/// The entry of a run, by its digest.
static ENTRY: ReadBack = ReadBack {
    function: "get-published",
    arguments: || json!({}),
    compare: |made, read| {
        let made: Option<Published> = serde_json::from_value(made.clone()).ok();
        let there: Option<Option<Published>> = serde_json::from_value(read.clone()).ok();
        match (made, there) {
            (Some(made), Some(Some(there))) if made.digest == there.digest => Found::There,
            (Some(_), Some(Some(there))) => {
                Found::Replaced(format!("the DHCP entry {}", there.location))
            }
            (Some(_), Some(None)) => Found::Gone,
            (None, _) | (_, None) => Found::Unknown,
        }
    },
    is_used_up_by_restart: false,
    is_wiped: false,
    reopens: true,
};
