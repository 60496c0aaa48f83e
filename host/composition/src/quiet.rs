//! Panics that are expected say nothing.

use std::cell::Cell;
use std::panic::{self, UnwindSafe};
use std::sync::Once;

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Does some work that may panic; `None` when it did. Nothing is written then: a place in a library's source helps nobody.
pub(crate) fn catch<T>(work: impl FnOnce() -> T + UnwindSafe) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                others(panic);
            }
        }));
    });
    EXPECTED.set(true);
    let done = panic::catch_unwind(work);
    EXPECTED.set(false);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::catch;

    #[test]
    #[allow(clippy::panic)]
    fn a_panic_is_nothing_and_work_is_done() {
        assert_eq!(catch(|| 1), Some(1));
        assert_eq!(catch(|| -> u8 { panic!("expected") }), None);
    }
}
