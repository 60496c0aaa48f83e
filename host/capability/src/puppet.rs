//! Puppet's agent on the run's host, on the controller and on the monitoring server.

use crate::Function;
use crate::WaitPolicy;
pub use crate::bindings::wreimage::puppet::puppet::{AgentRun, AgentState, RunTimeout};
pub use crate::remote::Identity;
use crate::remote::{at, login};
use crate::role::{Entry, Found, Login, ReadBack, Role, Subject};
use serde_json::Value;

crate::table::effects! {
    /// Looks at Puppet's agents and has them run.
    puppet "wreimage:puppet/puppet@0.1.0" served by Provider in crate::bindings::wreimage::puppet::puppet,
        acts on Subject::System(entry);
    read get_state(at: Identity) -> AgentState;
    wait wait_for_success(at: Identity, since_ms: u64, policy: WaitPolicy) -> u64;
    write disable(reason: String) -> (),
        undo enable if crate::Facts::until_wiped as "the disabled Puppet agent",
        role Role::ReadBack(&DISABLED);
    write enable() -> ();
    once request_certificate() -> String;
    once noop_run(timeout: RunTimeout) -> AgentRun, doubt told;
    once first_run(timeout: RunTimeout) -> AgentRun, doubt told;
    once run(timeout: RunTimeout) -> AgentRun, doubt told;
    once run_on_controller(timeout: RunTimeout) -> AgentRun, doubt told;
    once run_on_monitoring(timeout: RunTimeout) -> AgentRun, doubt told;
}

/// The agent of the old system.
static DISABLED: ReadBack = ReadBack {
    function: "get-state",
    arguments: || at(Login::Production),
    compare: |_, read| match read.get("enabled").and_then(Value::as_bool) {
        Some(true) => Found::Gone,
        Some(false) => Found::There,
        None => Found::Unknown,
    },
    is_used_up_by_restart: false,
    is_wiped: true,
    reopens: false,
};

/// A change is made at the identity at which the machine came up last.
fn entry(function: &Function, arguments: &Value) -> Option<Entry> {
    match function.effect.mutates() {
        true => Some(Entry::Latest),
        false => login(arguments).map(Entry::At),
    }
}
