//! The configuration of one real data centre: its systems, grants, limits and policy.
//!
//! [`Site::load`] reads a site file ([`SiteFile`] lists its keys, `example-site.toml` shows them), [`Site::open`] gives
//! the live providers bound to one host. Capabilities that the file gives to the lab are only reported, by
//! [`Site::choices`]: this crate does not know the lab, and it knows no capability by its name.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)
)]

mod check;
mod file;
mod grants;
mod limits;
mod notify;
mod parse;
mod rules;
mod shown;
mod site;
mod waits;

pub use file::{IdentityPolicy, LabTable, NotifyTable, Occasion, Policy, Retention, SiteFile};
pub use grants::Grant;
pub use limits::Limits;
pub use notify::Notifier;
pub use site::Site;
pub use waits::{Wait, WaitTable, Waits};
pub use wreimage_live::{
    CheckLine, Choice, ConfigError, Keeper, Period, Prompter, Redactor, SecretRef, Size,
    without_secrets,
};
