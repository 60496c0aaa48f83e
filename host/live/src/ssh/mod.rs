//! SSH as a client: to the hosts, and to the install server.

mod connection;
mod exec;
pub(crate) mod known_hosts;
mod login;
mod quote;
mod tcp;

pub(crate) use connection::{Connection, Door, HostKeys, Patience, SshFailure, WayIn};
pub(crate) use exec::{Ended, ExecFailure, Input, Output, WHOLE};
pub(crate) use login::Login;
pub(crate) use quote::quote;
