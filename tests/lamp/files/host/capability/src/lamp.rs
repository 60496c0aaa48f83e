//! The locator lamp of the machine.

crate::table::effects! {
    /// Speaks to the switch of the lamp of the run's host.
    lamp "wreimage:lamp/lamp@0.1.0" served by Provider in crate::bindings::wreimage::lamp::lamp;
    read is_lit() -> bool;
    once press() -> ();
}
