//! What can go wrong, in words for the guest's author.

use std::path::PathBuf;

/// A guest folder that cannot be made or built.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// The caller can put it right.
    #[error("{0}")]
    Wrong(String),
    /// A program is missing; the text has the line that installs it.
    #[error("{0}")]
    Missing(String),
    /// No Rust toolchain compiles for WebAssembly.
    #[error(
        "no Rust toolchain here, of version 1.{oldest} or later, can compile for {target}. Run one of\n\n    rustup target add \
         {target}\n    apt-get install {packages}   # Debian 12, as root\n",
        target = crate::toolchain::TARGET,
        packages = packages.join(" ")
    )]
    NoToolchain {
        /// The oldest minor version of Rust 1 that is accepted.
        oldest: u32,
        /// What Debian has and is not installed.
        packages: Vec<&'static str>,
    },
    /// A program said no; its own words stand above.
    #[error("{program} failed ({how}); what it said stands above. The component was not made")]
    Failed {
        /// The command as it was called.
        program: String,
        /// Its exit status.
        how: String,
    },
    /// A program did not end.
    #[error(
        "{program} did not end within {seconds} s and was killed. Run it by hand to see what it waits for, or give it more \
         time with --timeout"
    )]
    TimedOut {
        /// The command as it was called.
        program: String,
        /// The deadline.
        seconds: u64,
    },
    /// Somebody stopped it.
    #[error("stopped; the component was not made")]
    Stopped,
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl KitError {
    /// For `map_err` of what is done with a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> KitError {
        let path = path.into();
        move |source| KitError::File { path, source }
    }
}
