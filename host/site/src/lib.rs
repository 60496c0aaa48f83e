//! The configuration of one real data centre, its secrets, and the providers that speak to real systems.
//!
//! [`Site::load`] reads a site file ([`SiteFile`] lists its keys, `example-site.toml` shows them), [`Site::open`] gives
//! the live providers bound to one host. Capabilities that the file gives to the lab are only reported, by
//! [`Site::choices`]: this crate does not know the lab.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)
)]

mod bounded;
mod cache;
mod check;
mod child;
mod dhcp;
mod digest;
mod dns;
mod error;
mod file;
#[doc(hidden)]
pub mod fuzzing;
mod grants;
mod install_server;
mod inventory;
mod ipmi;
mod keeper;
mod lease;
mod limits;
mod memory;
mod netbox;
mod notify;
mod open;
mod pattern;
mod placeholder;
mod redact;
mod remote;
mod rules;
mod secret;
mod shown;
mod site;
mod ssh;
pub mod tables;
mod target;
mod terminal;
mod units;
mod waits;

pub use check::CheckLine;
pub use error::SiteError;
pub use file::{IdentityPolicy, NotifyTable, Occasion, Policy, Retention, SiteFile};
pub use grants::Grant;
pub use inventory::{InventoryFile, InventoryHost, InventoryPort};
pub use keeper::Keeper;
pub use limits::Limits;
pub use notify::Notifier;
pub use redact::{Redactor, without_secrets};
pub use secret::{Prompter, SecretRef};
pub use site::{Choice, Site};
pub use units::{Period, Size};
pub use waits::{Wait, WaitTable, Waits};
