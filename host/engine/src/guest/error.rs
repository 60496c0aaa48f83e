//! Why a file cannot be used as a guest.

use crate::guest::imports::ImportError;
use wreimage_composition::ComposeError;

/// A file that cannot be used as a guest.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// Not WebAssembly at all.
    #[error(
        "this is not a WebAssembly file: give the .wasm file that the guest's build makes; `wreimage inspect FILE` tells \
         whether a file is a guest"
    )]
    NotWasm,
    /// Compiled machine code: it would run unchecked.
    #[error(
        "this is a precompiled guest (.cwasm): it is machine code that nothing can check; give the .wasm file"
    )]
    Precompiled,
    /// A core module that nothing says how to call.
    #[error(
        "this is a core module without component type information: build the guest's folder with `wreimage build`; by hand, \
         with wit-bindgen for the world `wreimage:guest/reimager` ({0})"
    )]
    CoreModule(String),
    /// A core module for an interface that is no component's.
    #[error(
        "this is a core module for WASI preview 1 (wasm32-wasip1, or the adapter is missing): build the guest's folder with \
         `wreimage build`; by hand, Rust for wasm32-unknown-unknown, the rest as a component for WASI 0.2"
    )]
    Preview1,
    /// Broken.
    #[error("this component cannot be compiled: {0}")]
    Broken(String),
    /// Larger than a component may be.
    #[error(
        "this component has {size} bytes, and `limits.component` allows {limit}: raise it in the site file, or ask its author \
         why it is so large"
    )]
    TooLarge {
        /// Bytes of the file.
        size: u64,
        /// Bytes that it may have.
        limit: u64,
    },
    /// Its compilation exceeds a bound.
    #[error(
        "this component cannot be compiled within the bounds of this host: {what}. Raise `{key}` in the site file, or ask its \
         author why it needs so much"
    )]
    Compilation {
        /// Which bound it exceeds.
        what: String,
        /// The key of the site file that sets it.
        key: &'static str,
    },
    /// The compiler failed, not the component.
    #[error("{0}")]
    Compiler(String),
    /// A program instead of a guest.
    #[error(
        "this component is a program and no guest: it exports `{has}`, as one built with the adapter for commands does. Build \
         the guest's folder with `wreimage build`; by hand, as a library (reactor) that exports `{wants}`"
    )]
    Program {
        /// What a guest exports.
        wants: &'static str,
        /// What it exports.
        has: String,
    },
    /// It was built for another host.
    #[error(
        "this component is built for another version: it exports `{has}`, this host wants `{wants}`. Build it with this host's \
         `wreimage build`, or use the host that it was built for"
    )]
    OtherVersion {
        /// What a guest exports.
        wants: &'static str,
        /// What it exports.
        has: String,
    },
    /// It is to be plugged into a guest.
    #[error(
        "this is a component to plug into a guest, and no guest: `wreimage run reimage --plug FILE` runs a guest with it, \
         `wreimage inspect reimage --plug FILE` shows what both can call"
    )]
    IsPlug,
    /// It has other exports.
    #[error(
        "this component is no guest: it does not export `{wants}`; it exports {has}. `wreimage new` makes a folder that \
         `wreimage build` can build; by hand, build it for a world that has this export"
    )]
    OtherWorld {
        /// What a guest exports.
        wants: &'static str,
        /// What it exports.
        has: String,
    },
    /// It wants what the host does not have.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Its types are not those of the host.
    #[error("the guest's types do not fit this host's: {0}")]
    Types(String),
    /// What is plugged in does not fit.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// What is to be plugged in is no component.
    #[error("{0}: {1}")]
    NoPlug(String, Box<GuestError>),
    /// What is to be plugged in says of itself what cannot be.
    #[error("the component {0}")]
    Plug(String),
    /// A component that is plugged in says of itself what cannot be.
    #[error("the component {0} that is plugged in {1}")]
    Plugged(usize, String),
    /// It could not say what it is, or said what cannot be.
    #[error("the guest {0}")]
    Describe(String),
}
