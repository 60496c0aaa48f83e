//! The toolchain for guests, installed where there is none.

use crate::apt;
use anyhow::{Context, Result};
use std::time::Duration;
use wreimage_kit::{Bounds, KitError, Stop, Toolchain};

/// How long a compiler may take to tell its version.
const DEADLINE: Duration = Duration::from_secs(60);

/// Within which a toolchain is asked what it is.
pub fn bounds() -> Bounds {
    Bounds::new(DEADLINE, Stop::new())
}

/// The Debian packages that have to be installed before [`get`] finds a toolchain.
pub fn missing() -> Vec<String> {
    match Toolchain::find(&bounds()) {
        Err(KitError::NoToolchain { packages, .. }) => {
            packages.into_iter().map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The toolchain for guests; installs Debian's when there is none, this is Debian, and the user is root.
///
/// # Errors
/// When there is none and none can be installed: says the line to run.
pub fn get() -> Result<Toolchain> {
    let missing = missing();
    if !missing.is_empty() {
        apt::newest(&missing)
            .context("no Rust toolchain here can compile guests; Debian 12 has one")?;
    }
    Ok(Toolchain::find(&bounds())?)
}
