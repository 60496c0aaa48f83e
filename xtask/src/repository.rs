//! Where things are.

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The workspace of the guests.
pub fn guests() -> PathBuf {
    root().join("guests")
}

/// Where the components go.
pub fn components() -> PathBuf {
    root().join("target").join("guests")
}

/// Target directory of the guests' own cargo, so that it never waits for the host's.
pub fn guests_build() -> PathBuf {
    root().join("target").join("guests-build")
}

/// Target directory of guests that are compiled for this machine, to test them.
pub fn guests_native() -> PathBuf {
    root().join("target").join("guests-native")
}
