//! `dhcp`: the temporary entry that lets a machine boot the installer.

mod automation;
mod dhcpincludes;
mod entry;
mod expiry;
mod releases;
mod render;
mod renewals;

pub(crate) use automation::set_claim;
pub(crate) use dhcpincludes::DhcpIncludes;
pub(crate) use releases::{is_name, named};
pub(crate) use renewals::Renewals;

/// Reads an answer about entries: their renewals, and when one expires.
pub(crate) fn read_answer(answer: &crate::install_server::Answer) {
    renewals::read_answer(answer);
    expiry::expires(answer);
}
