//! What a guest of wreimage is written with.
//!
//! A guest implements [`Guest`] and hands itself to [`export!`]. It does its work in steps, calls capabilities (one
//! module each: [`ipmi`], [`dhcp`], [`remote`] …), and returns an [`Outcome`]:
//!
//! ```no_run
//! use wreimage_sdk::{Actions, Description, Fault, Guest, Outcome, Request, ipmi};
//!
//! struct Check;
//!
//! impl Guest for Check {
//!     fn describe() -> Description {
//!         Description::reads("check", "0.1.0", "Reads the power state")
//!     }
//!
//!     fn run(_: &Request) -> Result<Outcome, Fault> {
//!         let mut actions = Actions::new();
//!         actions.phase("check").step("Read the power state", |step| {
//!             step.says(format!("the machine is {}", ipmi::get_power_state()?));
//!             Ok(())
//!         })?;
//!         Ok(actions.outcome("The BMC answers"))
//!     }
//! }
//!
//! wreimage_sdk::export!(Check);
//! ```
//!
//! Three rules keep a run repeatable. Time comes from [`clock`] only. What a guest asks the host for follows from its
//! arguments and from the host's answers, so use `BTreeMap`, never `HashMap`, where order reaches a capability. And
//! no state is kept between [`Guest::run`] and [`Guest::on_ended`]: the latter runs in a fresh instance.

mod actions;
mod attempt;
#[allow(missing_docs, clippy::all)]
pub mod bindings;
pub mod clock;
mod describe;
mod display;
mod display_services;
mod failure;
mod fault;
mod follow_up;
mod guest;
pub mod hooks;
mod nearest;
mod options;
mod panic;
pub mod plug;
pub mod prompt;
mod retry;
mod site;
mod step;
mod tell;
pub mod text;
mod wait_policy;

// Written by `cargo xtask generate`: begin
pub use bindings::wreimage::alertmanager::alertmanager;
pub use bindings::wreimage::conftool::conftool;
pub use bindings::wreimage::debmonitor::debmonitor;
pub use bindings::wreimage::dhcp::dhcp;
pub use bindings::wreimage::dns::dns;
pub use bindings::wreimage::http::http;
pub use bindings::wreimage::httpbb::httpbb;
pub use bindings::wreimage::icinga::icinga;
pub use bindings::wreimage::ipmi::ipmi;
pub use bindings::wreimage::netbox::netbox;
pub use bindings::wreimage::phabricator::phabricator;
pub use bindings::wreimage::puppet::puppet;
pub use bindings::wreimage::puppet_ca::puppet_ca;
pub use bindings::wreimage::puppetdb::puppetdb;
pub use bindings::wreimage::remote::remote;
// Written by `cargo xtask generate`: end

pub use actions::{Action, Actions, Phase};
pub use attempt::{Offers, attempt};
pub use bindings::exports::wreimage::guest::guest::{
    Cause, Description, Ending, OptionKind, OptionSpec, Outcome, PastStep, Undone, Verdict,
};
pub use bindings::shared::wreimage::types::types::{
    EndedBy, Fault, FaultKind, FollowUp, WaitPolicy,
};
pub use bindings::wreimage::run::run::{Level, OptionValue, Request, Severity};
pub use describe::Role;
pub use follow_up::end_follow_up;
pub use guest::{Guest, enter_rollback, enter_run};
pub use nearest::nearest;
pub use options::{OPTION_MISSING, OPTION_WRONG, Options};
pub use retry::{Tries, retry, retry_if_worth};
pub use step::Step;
pub use tell::{log, note};
