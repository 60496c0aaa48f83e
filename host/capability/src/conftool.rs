//! The services that the host is pooled in.

pub use crate::bindings::wreimage::conftool::conftool::PoolObject;

crate::table::effects! {
    /// Speaks to conftool for the run's host.
    conftool "wreimage:conftool/conftool@0.1.0" served by Provider in crate::bindings::wreimage::conftool::conftool;
    read get_objects() -> Vec<PoolObject>;
    write set_pooled(value: String) -> Vec<PoolObject>;
}
