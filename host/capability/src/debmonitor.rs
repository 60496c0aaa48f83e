//! The inventory of packages.

crate::table::effects! {
    /// Speaks to Debmonitor for the run's host.
    debmonitor "wreimage:debmonitor/debmonitor@0.1.0" served by Provider in crate::bindings::wreimage::debmonitor::debmonitor;
    write remove() -> bool;
}
