//! What a site's component implements, to be plugged into `reimage`, and how it becomes the exports of a component.

use crate::hooks::{BootMedia, Finding, Phase};
use crate::{Fault, panic};

pub use crate::bindings::plug::exports::wreimage::hooks::plug::Description;

impl Description {
    /// A component that only looks. The host refuses its mutations.
    pub fn reads(name: &str, version: &str, summary: &str) -> Self {
        Description {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            mutates: false,
            extra: Vec::new(),
        }
    }

    /// A component that changes something, or runs commands on the machine.
    pub fn mutates(name: &str, version: &str, summary: &str) -> Self {
        Description {
            mutates: true,
            ..Description::reads(name, version, summary)
        }
    }
}

/// A component that is plugged in. It implements the hooks that it wants, and names them to
/// [`export_plug!`](crate::export_plug).
pub trait Plug {
    /// Says what the component is. No capability can be called here.
    fn describe() -> Description;
}

/// Is called before each phase.
pub trait BeforePhase {
    /// What was found, if this phase is one that matters.
    ///
    /// # Errors
    /// A fault ends the run before the phase has begun.
    fn before_phase(phase: Phase) -> Result<Vec<Finding>, Fault>;
}

/// Is called after each phase that came to its end.
pub trait AfterPhase {
    /// What was found, if this phase is one that matters.
    ///
    /// # Errors
    /// A fault ends the run.
    fn after_phase(phase: Phase) -> Result<Vec<Finding>, Fault>;
}

/// Chooses what is booted to install the machine.
pub trait Partitioning {
    /// The boot media; those that are proposed change nothing.
    ///
    /// # Errors
    /// A fault ends the run. Nothing was changed.
    fn choose_media(proposed: BootMedia) -> Result<String, Fault>;
}

/// Looks at the new system when Puppet has configured it and it has come up again.
pub trait PostInstall {
    /// What was found. A failure lets the run go on, and fails it at its end.
    ///
    /// # Errors
    /// A fault ends the run.
    fn check_installed() -> Result<Vec<Finding>, Fault>;
}

/// What every exported hook does first. Called by [`export_plug!`](crate::export_plug).
#[doc(hidden)]
pub fn enter() {
    panic::tell_the_host();
}

/// Makes a [`Plug`] with these hooks the exports of this component:
/// `export_plug!(Site: before_phase, post_install)`.
#[macro_export]
macro_rules! export_plug {
    ($plug:ty: $($hook:ident),* $(,)?) => {
        const _: () = {
            struct Exports;

            impl $crate::bindings::plug::exports::wreimage::hooks::plug::Guest for Exports {
                fn describe() -> $crate::plug::Description {
                    <$plug as $crate::plug::Plug>::describe()
                }
            }

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::plug::export_described!(Exports);

            // Elsewhere, as in a native test, nobody can call the exports, but they must compile.
            #[cfg(not(target_arch = "wasm32"))]
            const _: fn() -> $crate::plug::Description =
                <Exports as $crate::bindings::plug::exports::wreimage::hooks::plug::Guest>::describe;
        };
        $($crate::export_hook!($hook, $plug);)*
    };
}

/// One hook of [`export_plug!`].
#[doc(hidden)]
#[macro_export]
macro_rules! export_hook {
    (before_phase, $plug:ty) => {
        $crate::export_hook!(
            @hook before_phase, export_before_phase, BeforePhase, $plug,
            (phase: $crate::hooks::Phase) -> ::std::vec::Vec<$crate::hooks::Finding>
        );
    };
    (after_phase, $plug:ty) => {
        $crate::export_hook!(
            @hook after_phase, export_after_phase, AfterPhase, $plug,
            (phase: $crate::hooks::Phase) -> ::std::vec::Vec<$crate::hooks::Finding>
        );
    };
    (post_install, $plug:ty) => {
        $crate::export_hook!(
            @named post_install, check_installed, export_post_install, PostInstall, $plug,
            () -> ::std::vec::Vec<$crate::hooks::Finding>
        );
    };
    (partitioning, $plug:ty) => {
        $crate::export_hook!(
            @named partitioning, choose_media, export_partitioning, Partitioning, $plug,
            (proposed: $crate::hooks::BootMedia) -> ::std::string::String
        );
    };
    (@hook $hook:ident, $($rest:tt)*) => {
        $crate::export_hook!(@named $hook, $hook, $($rest)*);
    };
    (
        @named $hook:ident, $function:ident, $export:ident, $named:ident, $plug:ty,
        ($($argument:ident: $type:ty)?) -> $returns:ty
    ) => {
        const _: () = {
            struct Exports;

            impl $crate::bindings::$hook::exports::wreimage::hooks::$hook::Guest for Exports {
                fn $function($($argument: $type)?) -> Result<$returns, $crate::Fault> {
                    $crate::plug::enter();
                    <$plug as $crate::plug::$named>::$function($($argument)?)
                }
            }

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::$hook::$export!(Exports);

            #[cfg(not(target_arch = "wasm32"))]
            const _: fn($($type)?) -> Result<$returns, $crate::Fault> =
                <Exports as $crate::bindings::$hook::exports::wreimage::hooks::$hook::Guest>::$function;
        };
    };
}
