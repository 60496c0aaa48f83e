//! Silences for the alerts of the host.

pub use crate::bindings::wreimage::alertmanager::alertmanager::Held;

crate::table::effects! {
    /// Speaks to Alertmanager for the run's host.
    alertmanager "wreimage:alertmanager/alertmanager@0.1.0" served by Provider in crate::bindings::wreimage::alertmanager::alertmanager;
    read get_silences() -> Vec<Held>;
    write silence(duration_ms: u64, reason: String) -> String;
    write expire() -> bool;
}
