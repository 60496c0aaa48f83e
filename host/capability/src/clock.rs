//! Time. The engine answers.

crate::table::effects! {
    /// Tells the time and sleeps.
    clock "wreimage:clock/clock@0.1.0" served by Engine in crate::bindings::wreimage::clock::clock;
    read now() -> u64;
    wait sleep(duration_ms: u64) -> ();
    wait sleep_until(time_ms: u64) -> ();
}
