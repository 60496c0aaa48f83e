//! What a guest's author needs besides the host: a folder to begin with ([`create`]), and a component made of it ([`Builder`]).
//!
//! Rust guests are compiled by cargo, Python guests by `componentize-py`, JavaScript guests by `componentize-qjs`. The WIT
//! packages and the SDKs are part of this crate, so that a guest is built outside of this repository as well.

mod build;
mod child;
mod error;
mod files;
mod javascript;
mod language;
mod new;
mod python;
mod rust;
mod toolchain;
mod tools;
mod wit;

pub use build::{Builder, Built, write_whole};
pub use child::{Bounds, Stop};
pub use error::KitError;
pub use language::Language;
pub use new::{Kind, create};
pub use toolchain::{Compiler, TARGET, Toolchain, is_scrubbed, scrubbed};
pub use tools::{COMPONENTIZE_PY, COMPONENTIZE_QJS, Tool};
pub use wit::texts as wit;
