//! Puppet's agent on the run's host, on the controller and on the monitoring server.

use crate::Patience;
pub use crate::bindings::wreimage::puppet::puppet::{AgentRun, AgentState, RunTimeout};
pub use crate::remote::Identity;

crate::table::effects! {
    /// Looks at Puppet's agents and has them run.
    puppet "wreimage:puppet/puppet@0.1.0" served by Provider in crate::bindings::wreimage::puppet::puppet;
    read get_state(at: Identity) -> AgentState;
    wait wait_for_success(at: Identity, since_ms: u64, patience: Patience) -> u64;
    write disable(reason: String) -> (),
        undo enable if crate::Facts::until_wiped as "the disabled Puppet agent";
    write enable() -> ();
    once request_certificate() -> String;
    once noop_run(timeout: RunTimeout) -> AgentRun, doubt told;
    once first_run(timeout: RunTimeout) -> AgentRun, doubt told;
    once run(timeout: RunTimeout) -> AgentRun, doubt told;
    once run_on_controller(timeout: RunTimeout) -> AgentRun, doubt told;
    once run_on_monitoring(timeout: RunTimeout) -> AgentRun, doubt told;
}
