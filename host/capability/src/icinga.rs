//! Monitoring of the host and its services.

use crate::WaitPolicy;
pub use crate::bindings::wreimage::icinga::icinga::{Downtime, HostState, Status};

crate::table::effects! {
    /// Speaks to the monitoring server for the run's host.
    icinga "wreimage:icinga/icinga@0.1.0" served by Provider in crate::bindings::wreimage::icinga::icinga;
    read get_status() -> Status;
    read get_downtimes() -> Vec<Downtime>;
    wait wait_until_known(policy: WaitPolicy) -> Status;
    wait wait_until_optimal(policy: WaitPolicy) -> Status;
    write set_downtime(duration_ms: u64, reason: String) -> ();
    write remove_downtime() -> bool;
    write recheck() -> ();
}
