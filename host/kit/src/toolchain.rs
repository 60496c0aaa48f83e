//! Which Rust toolchain compiles for wasm32. Nothing here ever lets rustup download anything.

use crate::KitError;
use crate::child::Bounds;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of guests.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The oldest minor version of Rust 1 that the SDK's dependencies accept.
const OLDEST_MINOR: u32 = 88;

/// Debian's toolchain, which can build the standard library for the target.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// Where Debian's linkers for WebAssembly are.
const DEBIAN_LINKERS: [&str; 2] = ["/usr/bin/rust-lld", "/usr/bin/wasm-ld-22"];

/// Variables of a cargo that runs wreimage, which would make another one use its compiler, flags or folders.
const SCRUBBED: [&str; 14] = [
    "CARGO",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_MAKEFLAGS",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "LD_LIBRARY_PATH",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];

/// How guests are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// What `cargo` on the path starts has the target.
    OnPath,
    /// Debian's toolchain builds the standard library first, and links with this.
    Debian {
        /// It brings none.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The one of this machine.
    pub(crate) fn find(bounds: &Bounds) -> Result<Self, KitError> {
        let sysroot = |rustc: &str| {
            let said = bounds.output(scrubbed(rustc).args(["--print", "sysroot"]));
            said.ok().map(|said| PathBuf::from(said.trim_end()))
        };
        let on_path = sysroot("rustc");
        let has_target = on_path
            .as_ref()
            .is_some_and(|root| root.join("lib/rustlib").join(TARGET).join("lib").is_dir());
        if has_target {
            return Ok(Toolchain::OnPath);
        }
        let debian = sysroot(DEBIAN_RUSTC)
            .is_some_and(|root| root.join("lib/rustlib/src/rust/library/std").is_dir());
        let version = bounds
            .output(scrubbed(DEBIAN_RUSTC).arg("--version"))
            .unwrap_or_default();
        let linker = on_path.and_then(|root| linker_of(&root)).or_else(|| {
            DEBIAN_LINKERS
                .map(PathBuf::from)
                .into_iter()
                .find(|it| it.exists())
        });
        match linker {
            Some(linker) if debian && is_new_enough(&version) => Ok(Toolchain::Debian { linker }),
            _ => Err(KitError::Missing(format!(
                "no Rust toolchain here, of version 1.{OLDEST_MINOR} or later, can compile for {TARGET}. Run one of\n\n    rustup \
                 target add {TARGET}\n    apt-get install rustc-web cargo-web rust-web-src lld-22   # Debian 12, as root\n"
            ))),
        }
    }

    /// A cargo for guests, without arguments; its environment is set.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Toolchain::OnPath => scrubbed("cargo"),
            Toolchain::Debian { linker } => {
                let mut command = scrubbed(DEBIAN_CARGO);
                command
                    .env("RUSTC", DEBIAN_RUSTC)
                    // Building the standard library is an unstable option of a stable compiler.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command
            }
        }
    }

    /// Arguments without which this toolchain does not build for [`TARGET`].
    pub(crate) fn build_arguments(&self) -> Vec<&'static str> {
        let mut arguments = vec!["--target", TARGET];
        if matches!(self, Toolchain::Debian { .. }) {
            arguments.push("-Zbuild-std=std,panic_abort");
        }
        arguments
    }
}

/// The linker that a toolchain of rustup brings for its own use.
fn linker_of(sysroot: &Path) -> Option<PathBuf> {
    let targets = sysroot.join("lib/rustlib").read_dir().ok()?;
    targets
        .flatten()
        .map(|target| target.path().join("bin/rust-lld"))
        .find(|linker| linker.exists())
}

/// Whether the SDK's dependencies accept a compiler that says this of itself, such as `rustc 1.96.0 (…)`.
fn is_new_enough(version: &str) -> bool {
    version
        .strip_prefix("rustc 1.")
        .and_then(|rest| rest.split('.').next())
        .and_then(|minor| minor.parse::<u32>().ok())
        .is_some_and(|minor| minor >= OLDEST_MINOR)
}

fn scrubbed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in SCRUBBED {
        command.env_remove(name);
    }
    command.env("RUSTUP_AUTO_INSTALL", "0");
    command
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn a_compiler_that_the_dependencies_do_not_accept_is_none() {
        assert!(is_new_enough("rustc 1.96.0 (ac68faa20 2026-05-25)"));
        assert!(!is_new_enough("rustc 1.85.0 (4d91de4e4 2025-02-17)"));
        assert!(!is_new_enough(""));
    }
}
