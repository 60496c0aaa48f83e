//! Files of this repository that are part of the program, so that guests are made and built outside of it.

/// A file: its path below its folder, and its text.
pub(crate) type File = (&'static str, &'static str);

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The versions of its dependencies.
pub(crate) const LOCK_RUST: &str = include_str!("../../../guests/Cargo.lock");

/// The SDK for Python.
pub(crate) const SDK_PYTHON: File = (
    "wreimage.py",
    include_str!("../../../guests/sdk-python/wreimage.py"),
);

/// The SDK for JavaScript.
pub(crate) const SDK_JAVASCRIPT: File = (
    "wreimage.js",
    include_str!("../../../guests/sdk-js/wreimage.js"),
);
