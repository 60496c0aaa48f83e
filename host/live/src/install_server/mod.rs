//! The install server: this machine, or another one by SSH. What is done there is a script that is sent whole, one execution
//! for each request, and answers with a document.

mod answer;
mod command;
mod far;
mod script;
mod server;
#[cfg(test)]
mod shellcheck;
mod words;

pub(crate) use answer::{Answer, Waiting};
pub(crate) use command::Ran;
pub(crate) use script::Script;
#[cfg(test)]
pub(crate) use server::Transport;
pub(crate) use server::{InstallServer, Lane};
pub(crate) use words::{decode, encode};

/// Functions that all scripts share.
pub(crate) const LIBRARY: &str = include_str!("library.sh");
/// Functions about the DHCP automation.
pub(crate) const AUTOMATION: &str = include_str!("automation.sh");
