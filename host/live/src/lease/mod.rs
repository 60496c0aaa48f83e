//! The lease on a host where the install server keeps it: in a folder beside the DHCP automation.

mod claim;
mod client;
mod folder;
mod table;
#[cfg(test)]
mod tests;
mod why;

pub(crate) use claim::set_claim;
pub(crate) use client::InstallServerLease;
pub(crate) use folder::LeaseFolder;
pub use table::{LeaseProvider, LeaseTable};
pub(crate) use why::fault;

use crate::install_server::Answer;

/// Reads the claims in an answer, and why a request about them was refused or a claim is lost.
pub(crate) fn read_answer(answer: &Answer) {
    let shown = claim::shown_in(answer);
    why::refused("host1001.lab1.test", answer, shown.last());
    why::lost("host1001.lab1.test", answer.word("code"), shown.last());
}

/// Functions about the lease folder and its claims.
pub(crate) const CLAIMS: &str = include_str!("claims.sh");
/// The requests about leases.
pub(crate) const REQUESTS: &str = include_str!("requests.sh");
