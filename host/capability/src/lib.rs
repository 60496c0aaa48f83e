//! The Rust face of `wit/`: generated types, and for each capability one effect table, from which a macro makes the
//! provider trait and the glue that hands every call of a guest to the gate.
//!
//! To add a capability, read `docs/adding-a-capability.md`.

// Written by `cargo xtask generate`: begin
pub mod alertmanager;
pub mod clock;
pub mod conftool;
pub mod debmonitor;
pub mod dhcp;
pub mod dns;
pub mod http;
pub mod httpbb;
pub mod icinga;
pub mod ipmi;
pub mod netbox;
pub mod operator;
pub mod phabricator;
pub mod puppet;
pub mod puppet_ca;
pub mod puppetdb;
pub mod remote;
pub mod run;
// Written by `cargo xtask generate`: end

pub mod bindings;
mod border;
mod call;
mod catalogue;
mod clocks;
mod effect;
mod facts;
mod fault;
mod harmless;
pub mod lease;
mod listing;
mod providers;
pub mod role;
mod snapshot;
mod table;
mod words;

pub use bindings::exports::wreimage::guest::guest;
pub use bindings::plug::exports::wreimage::hooks::plug;
pub use bindings::wreimage::types::types::{Fault, FaultKind, WaitPolicy};
pub use border::{Border, Caller, Gate};
pub use call::{Call, HOST_KEY_REFUSED, OFFERED, Silent, Sink};
pub use catalogue::Catalogue;
pub use clocks::{Clock, SystemClock, from_millis, to_millis};
pub use effect::{Capability, Doubt, Effect, Function, Inverse, Returns, Server};
pub use facts::{Facts, InstallerMarks, Validity};
pub use futures::future::BoxFuture;
pub use harmless::{CONTINUED, Harmless, harmless_json, is_shown};
pub use listing::{ALL, capability, function, link, link_types};
pub use netbox::SwitchPort;
pub use providers::{Answer, Dispatch, Polled, Providers, Reconciled};
pub use role::{Role, Subject};
pub use snapshot::{HostSnapshot, PinnedBoot};
pub use words::{kebab, word};
