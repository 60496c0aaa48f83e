//! `dhcp`: the temporary entry that lets a machine boot the installer.

mod dhcpincludes;
mod entry;
mod render;
mod server;

pub(crate) use dhcpincludes::DhcpIncludes;
