//! The live systems of a data centre: a folder for each capability with its table of the site file, its secrets, its rules, its
//! checks and its providers, all behind [`LiveCapability`], and beside them what they share.
//!
//! [`Tables`] reads the tables of a site file, [`Systems`] has what they name, [`Systems::open`] gives the providers for one
//! host. The list of capabilities is `list.rs`.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)
)]

// Written by `cargo xtask generate`: begin
pub mod dhcp;
pub mod dns;
pub mod ipmi;
pub mod netbox;
pub mod remote;
// Written by `cargo xtask generate`: end

pub mod bounded;
mod capability;
mod check;
pub mod child;
mod defaults;
pub mod digest;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod host;
pub mod http;
mod install_server;
pub mod lease;
mod list;
mod memory;
pub mod pattern;
mod redact;
mod renewal;
mod resolver;
mod row;
mod rules;
mod secret;
mod secrets;
mod shared;
#[cfg(test)]
mod shellcheck;
mod ssh;
mod systems;
mod tables;
mod target;
pub mod terminal;
mod units;

pub use capability::{Choice, LiveCapability, NamedFile, Served};
pub use check::CheckLine;
pub use error::ConfigError;
pub use host::Host;
pub use redact::{Redactor, redacted, without_secrets};
pub use renewal::{Keeper, Renewal};
pub use rules::Rules;
pub use secret::{Prompter, Secret, SecretRef};
pub use secrets::Secrets;
pub use shared::{Place, Shared};
pub use systems::Systems;
pub use tables::Tables;
pub use target::{Naming, is_name};
pub use units::{Period, Size};
