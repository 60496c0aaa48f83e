//! `dhcp`: the temporary entry that lets a machine boot the installer.

mod automation;
mod dhcpincludes;
mod entry;
mod expiry;
mod lock;
mod render;
mod server;

pub(crate) use dhcpincludes::DhcpIncludes;
