//! Joins a guest that has hooks with the components of a site that export some of them, into one component.
//!
//! The guest imports its hooks; those are the interfaces of a package that is called `hooks`. For each, the composition takes
//! the export of a plugged component, else that of the defaults that the guest was joined with. What a plugged component
//! imports of `wreimage` gets a name of its own in the whole, `plug1:ipmi/ipmi@0.1.0` instead of `wreimage:ipmi/ipmi@0.1.0`:
//! under the same name the imports of all components would be one, and nobody could tell who calls.
//!
//! The same components always give the same bytes. A composition is trusted to be what it says because it is made again from
//! its parts and compared.

mod error;
mod graph;
mod interface;
mod part;
mod quiet;

pub use error::ComposeError;
pub use interface::{DESCRIBE, described, plugged};
pub use part::{Composition, Part, Role, imports, is_plug};

/// A component to plug in.
#[derive(Debug, Clone, Copy)]
pub struct Plug<'a> {
    /// What messages call it, such as its file.
    pub label: &'a str,
    /// The component.
    pub bytes: &'a [u8],
}

/// Joins a guest with the defaults of its hooks: what is shipped, complete and open to plugs.
///
/// # Errors
/// When they do not fit.
pub fn complete(core: &[u8], defaults: &[u8]) -> Result<Vec<u8>, ComposeError> {
    let parts = Composition {
        core: Part::new(Role::Core, core),
        defaults: Some(Part::new(Role::Defaults, defaults)),
        plugs: Vec::new(),
    };
    graph::encode(&parts, &[])
}

/// Plugs components into a guest. It may be one that is joined with its defaults, and one that has plugs already.
///
/// # Errors
/// When a component cannot be plugged in: says which, and why.
pub fn compose(guest: &[u8], plugs: &[Plug<'_>]) -> Result<Vec<u8>, ComposeError> {
    let parts = match Composition::read(guest)? {
        Some(parts) => parts,
        None => Composition {
            core: Part::new(Role::Core, guest),
            defaults: None,
            plugs: Vec::new(),
        },
    };
    graph::encode(&parts, plugs)
}
