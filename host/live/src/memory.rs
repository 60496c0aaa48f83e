//! Memory that holds secrets leaves no trace on disk.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use std::sync::Once;

/// From here on no core is dumped of this process, nor of those that it starts, and no other process of the same user can
/// attach to it. What the system refuses of this is not worth ending a run for.
pub(crate) fn keep_private() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        let _ = setrlimit(Resource::Core, none);
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_core_is_dumped() {
        keep_private();
        let behavior = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(behavior, DumpableBehavior::NotDumpable);
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
