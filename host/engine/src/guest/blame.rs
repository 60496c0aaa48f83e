//! Which component of a guest trapped, and what to do.

use crate::guest::limits::Limits;
use crate::guest::load::Guest;
use crate::guest::trap;

/// A trap in words, with the component's own frames and what to do.
pub(crate) fn explain(guest: &Guest, error: &wasmtime::Error, limits: Limits) -> String {
    let text = trap::describe(
        error,
        limits,
        "; if it only needs longer, raise `limits.fuel` in the site file, else its author must mend it",
        "; raise `limits.guest-memory` in the site file, or ask its author why it needs so much",
    );
    guest.blame(error, text)
}
