//! `dhcp`: the temporary entry that lets a machine boot the installer.

mod automation;
mod dhcpincludes;
mod entry;
mod expiry;
mod lock;
mod releases;
mod render;
mod server;

pub(crate) use dhcpincludes::DhcpIncludes;
pub(crate) use releases::{is_name, named};
