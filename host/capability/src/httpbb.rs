//! Tests of the web services that the host serves.

pub use crate::bindings::wreimage::httpbb::httpbb::Report;

crate::table::effects! {
    /// Tests what the run's host serves.
    httpbb "wreimage:httpbb/httpbb@0.1.0" served by Provider in crate::bindings::wreimage::httpbb::httpbb;
    read run_suite(suite: String) -> Report;
}
