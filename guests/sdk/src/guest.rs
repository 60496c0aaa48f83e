//! The trait that a guest implements, and how it becomes the exports of a component.

use crate::bindings::wreimage::run::run;
use crate::{Description, Ending, Fault, Outcome, Request, panic};

/// What a guest is.
pub trait Guest {
    /// Says what the guest is. No capability can be called here.
    fn describe() -> Description;

    /// Does the job for the host that the run is bound to.
    ///
    /// # Errors
    /// A fault ends the run as failed; its message is what the operator reads.
    fn run(request: &Request) -> Result<Outcome, Fault>;

    /// The closing words, after the host has undone what must not stay. Runs in a fresh instance and must not undo
    /// anything.
    ///
    /// # Errors
    /// A fault is reported and changes nothing else.
    fn on_ended(request: &Request, ending: Ending) -> Result<(), Fault> {
        let _ = (request, ending);
        Ok(())
    }
}

/// What the exported `run` does. Called by [`export!`](crate::export).
#[doc(hidden)]
pub fn enter_run<G: Guest>() -> Result<Outcome, Fault> {
    panic::tell_the_host();
    G::run(&run::get_request()?)
}

/// What the exported `on-ended` does. Called by [`export!`](crate::export).
#[doc(hidden)]
pub fn enter_rollback<G: Guest>(ending: Ending) -> Result<(), Fault> {
    panic::tell_the_host();
    G::on_ended(&run::get_request()?, ending)
}

/// Makes a [`Guest`] the exports of this component.
#[macro_export]
macro_rules! export {
    ($guest:ty) => {
        const _: () = {
            struct Exports;

            impl $crate::bindings::exports::wreimage::guest::guest::Guest for Exports {
                fn describe() -> $crate::Description {
                    <$guest as $crate::Guest>::describe()
                }

                fn run() -> Result<$crate::Outcome, $crate::Fault> {
                    $crate::enter_run::<$guest>()
                }

                fn on_ended(ending: $crate::Ending) -> Result<(), $crate::Fault> {
                    $crate::enter_rollback::<$guest>(ending)
                }
            }

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::export_guest!(Exports);

            // Elsewhere, as in a native test, nobody can call the exports, but they must compile.
            #[cfg(not(target_arch = "wasm32"))]
            const _: (
                fn() -> $crate::Description,
                fn() -> Result<$crate::Outcome, $crate::Fault>,
                fn($crate::Ending) -> Result<(), $crate::Fault>,
            ) = {
                use $crate::bindings::exports::wreimage::guest::guest::Guest;
                (Exports::describe, Exports::run, Exports::on_ended)
            };
        };
    };
}
