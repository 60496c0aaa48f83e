//! The install server: this machine, or another one by SSH. What is done there is a script that is sent whole, one execution
//! for each request, and answers with a document.

mod answer;
mod command;
mod here;
mod script;
mod server;
mod ssh_server;
mod transport;
mod words;

pub(crate) use answer::{Answer, Waiting};
pub(crate) use command::Ran;
pub(crate) use here::Here;
pub(crate) use script::Script;
pub(crate) use server::InstallServer;
pub(crate) use ssh_server::SshServer;
pub(crate) use transport::Lane;
#[cfg(test)]
pub(crate) use transport::{Printed, Transport};
pub(crate) use words::{decode, encode};

/// Functions that all scripts share.
pub(crate) const LIBRARY: &str = include_str!("library.sh");
