//! The one list of capabilities.

use crate::{Border, Caller, Capability, Catalogue, Function};
use wasmtime::component::{HasSelf, Linker};

macro_rules! capabilities {
    ($($name:ident),* $(,)?) => {
        /// Every capability that this host offers, in the order of the world.
        pub static ALL: Catalogue = Catalogue::new(&[ $( &crate::$name::CAPABILITY ),* ]);

        /// Gives a linker the interface of one capability, under the name by which one component of a guest imports it;
        /// calls go to the [`Border`] that `border` finds in the store.
        ///
        /// # Errors
        /// When the linker has an interface of that name already.
        pub fn link<T: Send + 'static>(
            capability: &Capability,
            linker: &mut Linker<T>,
            name: &str,
            caller: Caller,
            border: fn(&mut T) -> &mut Border,
        ) -> wasmtime::Result<()> {
            $(
                if std::ptr::eq(capability, &crate::$name::CAPABILITY) {
                    return crate::$name::link(linker, name, caller, border);
                }
            )*
            wasmtime::bail!("no such capability: {}", capability.name)
        }
    };
}

capabilities!(
    netbox,
    dns,
    ipmi,
    dhcp,
    remote,
    puppet,
    puppet_ca,
    puppetdb,
    icinga,
    alertmanager,
    conftool,
    debmonitor,
    httpbb,
    phabricator,
    http,
    operator,
    run,
    clock,
);

impl crate::bindings::wreimage::types::types::Host for Border {}

/// The types of the hooks. The host calls no hook, and has no use for them.
const HOOK_TYPES: &str = "wreimage:hooks/hook-types@0.1.0";

/// Gives a linker the interfaces of the shared types, which have no functions.
///
/// # Errors
/// When the linker has them already.
pub fn link_types<T: Send + 'static>(
    linker: &mut Linker<T>,
    border: fn(&mut T) -> &mut Border,
) -> wasmtime::Result<()> {
    crate::bindings::wreimage::types::types::add_to_linker::<T, HasSelf<Border>>(linker, border)?;
    linker.instance(HOOK_TYPES).map(|_| ())
}

/// The capability of that interface name.
pub fn capability(name: &str) -> Option<&'static Capability> {
    ALL.capability(name)
}

/// The function of that full name, such as `ipmi.set-power`.
pub fn function(full_name: &str) -> Option<&'static Function> {
    ALL.function(full_name)
}
