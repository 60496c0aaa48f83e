//! Which Rust toolchain compiles guests for wasm32. Nothing here ever lets rustup download anything.

use crate::{apt, inner};
use anyhow::{Context, Result, anyhow};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of guests.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's packages of a toolchain that can build the standard library for [`TARGET`].
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// The oldest minor version of Rust 1 that the dependencies of the guests accept. Debian 12 had older ones before its
/// security updates.
const OLDEST_MINOR: u32 = 88;

/// Debian's package with a linker, for machines where no toolchain brings its own.
const DEBIAN_LINKER_PACKAGE: &str = "lld-22";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// Where Debian puts the WebAssembly linker of [`DEBIAN_LINKER_PACKAGE`].
const DEBIAN_LINKERS: [&str; 2] = ["/usr/bin/rust-lld", "/usr/bin/wasm-ld-22"];

/// A compiler that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// Its cargo.
    pub cargo: PathBuf,
    /// The compiler itself.
    pub rustc: PathBuf,
    /// What `rustc --print sysroot` says.
    pub sysroot: PathBuf,
}

/// What was found on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The toolchain that runs this task, when it has the standard library for [`TARGET`].
    pub with_target: Option<Compiler>,
    /// Debian's toolchain, when it is there with the sources of the standard library.
    pub with_sources: Option<Compiler>,
    /// A linker for WebAssembly.
    pub linker: Option<PathBuf>,
}

/// How guests are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toolchain {
    /// The installed toolchain has the target.
    WithTarget(Compiler),
    /// Debian's toolchain builds the standard library first.
    WithSources {
        /// Debian's.
        compiler: Compiler,
        /// Debian's toolchain brings none.
        linker: PathBuf,
    },
}

/// The toolchain to use, or the Debian packages that are missing for one.
pub fn choose(found: Found) -> Result<Toolchain, Vec<&'static str>> {
    match found {
        Found {
            with_target: Some(compiler),
            ..
        } => Ok(Toolchain::WithTarget(compiler)),
        Found {
            with_sources: Some(compiler),
            linker: Some(linker),
            ..
        } => Ok(Toolchain::WithSources { compiler, linker }),
        Found {
            with_sources,
            linker,
            ..
        } => {
            let mut missing = Vec::new();
            if with_sources.is_none() {
                missing.extend(DEBIAN_PACKAGES);
            }
            if linker.is_none() {
                missing.push(DEBIAN_LINKER_PACKAGE);
            }
            Err(missing)
        }
    }
}

/// The Debian packages that have to be installed before [`get`] finds a toolchain.
///
/// # Errors
/// When a toolchain that is there cannot be asked.
pub fn missing() -> Result<Vec<String>> {
    let missing = choose(look()?).err().unwrap_or_default();
    Ok(missing.into_iter().map(str::to_owned).collect())
}

/// The toolchain for guests; installs Debian's when there is none, this is Debian, and the user is root.
///
/// # Errors
/// When there is none and none can be installed: says the line to run.
pub fn get() -> Result<Toolchain> {
    let missing = match choose(look()?) {
        Ok(toolchain) => return Ok(toolchain),
        Err(missing) => missing,
    };
    let missing: Vec<String> = missing.into_iter().map(str::to_owned).collect();
    apt::newest(&missing).with_context(|| {
        format!(
            "no Rust toolchain here, of version 1.{OLDEST_MINOR} or later, can compile for {TARGET}; Debian 12 has one"
        )
    })?;
    choose(look()?).map_err(|missing| {
        anyhow!(
            "still no Rust toolchain for {TARGET} after the installation; missing: {}",
            missing.join(" ")
        )
    })
}

impl Toolchain {
    /// A cargo for guests, without arguments; its environment is set.
    pub fn cargo(&self) -> Command {
        let (Toolchain::WithTarget(compiler) | Toolchain::WithSources { compiler, .. }) = self;
        let mut command = inner::scrubbed(&compiler.cargo);
        command.env("RUSTC", &compiler.rustc);
        if let Toolchain::WithSources { linker, .. } = self {
            command.env("PATH", path_with_first(Path::new("/usr/bin")));
            // Building the standard library is an unstable option of a stable compiler.
            command.env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
    }

    /// Arguments without which this toolchain does not build for [`TARGET`].
    pub fn build_arguments(&self) -> Vec<&'static str> {
        let mut arguments = vec!["--release", "--target", TARGET];
        if matches!(self, Toolchain::WithSources { .. }) {
            arguments.push("-Zbuild-std=std,panic_abort");
        }
        arguments
    }

    /// Version and kind, as far as they decide what comes out.
    ///
    /// # Errors
    /// When the compiler does not tell its version.
    pub fn version(&self) -> Result<String> {
        let (Toolchain::WithTarget(compiler) | Toolchain::WithSources { compiler, .. }) = self;
        let version = inner::output(inner::scrubbed(&compiler.rustc).arg("-vV"))?;
        Ok(format!("{}\n{version}", self.build_arguments().join(" ")))
    }

    /// Where its sources of the standard library are, whose paths end up in panic messages.
    pub fn sources(&self) -> PathBuf {
        let (Toolchain::WithTarget(compiler) | Toolchain::WithSources { compiler, .. }) = self;
        sources(compiler)
    }

    /// In words, for the first line of a build.
    pub fn described(&self) -> String {
        match self {
            Toolchain::WithTarget(compiler) => {
                format!("{} (has {TARGET})", compiler.rustc.display())
            }
            Toolchain::WithSources { compiler, linker } => format!(
                "{} (builds the standard library; linker {})",
                compiler.rustc.display(),
                linker.display()
            ),
        }
    }
}

fn look() -> Result<Found> {
    let outer = outer()?;
    let linker = bundled_linker(&outer)
        .into_iter()
        .chain(DEBIAN_LINKERS.map(PathBuf::from))
        .find(|linker| linker.exists());
    let target = outer.sysroot.join("lib/rustlib").join(TARGET).join("lib");
    Ok(Found {
        with_target: target.is_dir().then_some(outer),
        with_sources: debian()?,
        linker,
    })
}

/// The toolchain that runs this task.
fn outer() -> Result<Compiler> {
    let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    // Beside the real cargo stands the real compiler; `rustc` from the path may be rustup's.
    let beside = cargo.with_file_name("rustc");
    let rustc = if beside.is_absolute() && beside.exists() {
        beside
    } else {
        PathBuf::from(env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")))
    };
    let sysroot = sysroot(&rustc)?;
    Ok(Compiler {
        cargo,
        rustc,
        sysroot,
    })
}

fn debian() -> Result<Option<Compiler>> {
    let (rustc, cargo) = (Path::new(DEBIAN_RUSTC), Path::new(DEBIAN_CARGO));
    if !rustc.exists() || !cargo.exists() {
        return Ok(None);
    }
    let compiler = Compiler {
        cargo: cargo.to_owned(),
        rustc: rustc.to_owned(),
        sysroot: sysroot(rustc)?,
    };
    let is_whole = sources(&compiler).join("library/std").is_dir();
    let version = inner::output(inner::scrubbed(rustc).arg("--version"))?;
    Ok((is_whole && is_new_enough(&version)).then_some(compiler))
}

/// Whether the guests' dependencies accept a compiler that says this of itself, such as `rustc 1.96.0 (…)`.
fn is_new_enough(version: &str) -> bool {
    version
        .strip_prefix("rustc 1.")
        .and_then(|rest| rest.split('.').next())
        .and_then(|minor| minor.parse::<u32>().ok())
        .is_some_and(|minor| minor >= OLDEST_MINOR)
}

fn sources(compiler: &Compiler) -> PathBuf {
    compiler.sysroot.join("lib/rustlib/src/rust")
}

fn sysroot(rustc: &Path) -> Result<PathBuf> {
    inner::output(inner::scrubbed(rustc).args(["--print", "sysroot"])).map(PathBuf::from)
}

/// The linker that a toolchain of rustup brings, in the folder of its host's target.
fn bundled_linker(compiler: &Compiler) -> Option<PathBuf> {
    let targets = compiler.sysroot.join("lib/rustlib").read_dir().ok()?;
    targets
        .flatten()
        .map(|target| target.path().join("bin/rust-lld"))
        .find(|linker| linker.exists())
}

fn path_with_first(first: &Path) -> OsString {
    let old = env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(first.to_owned()).chain(env::split_paths(&old));
    env::join_paths(all).unwrap_or(old)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiler(name: &str) -> Compiler {
        Compiler {
            cargo: PathBuf::from(format!("/{name}/cargo")),
            rustc: PathBuf::from(format!("/{name}/rustc")),
            sysroot: PathBuf::from(format!("/{name}")),
        }
    }

    #[test]
    fn an_installed_target_goes_before_building_the_standard_library() {
        let found = Found {
            with_target: Some(compiler("outer")),
            with_sources: Some(compiler("debian")),
            linker: Some(PathBuf::from("/lld")),
        };
        assert_eq!(choose(found), Ok(Toolchain::WithTarget(compiler("outer"))));
    }

    #[test]
    fn debian_builds_the_standard_library_with_a_linker_from_elsewhere() {
        let found = Found {
            with_target: None,
            with_sources: Some(compiler("debian")),
            linker: Some(PathBuf::from("/lld")),
        };
        let toolchain = choose(found).unwrap();
        assert!(
            toolchain
                .build_arguments()
                .contains(&"-Zbuild-std=std,panic_abort")
        );
        let cargo = toolchain.cargo();
        let environment: Vec<_> = cargo.get_envs().collect();
        assert!(environment.contains(&(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER".as_ref(),
            Some("/lld".as_ref())
        )));
    }

    #[test]
    fn a_compiler_that_the_dependencies_do_not_accept_is_none() {
        assert!(is_new_enough("rustc 1.96.0 (ac68faa20 2026-05-25)"));
        assert!(!is_new_enough("rustc 1.85.0 (4d91de4e4 2025-02-17)"));
        assert!(!is_new_enough("clang 19"));
    }

    #[test]
    fn only_what_is_missing_is_asked_for() {
        assert_eq!(
            choose(Found::default()),
            Err(vec!["rustc-web", "cargo-web", "rust-web-src", "lld-22"])
        );
        let only_linker = Found {
            linker: Some(PathBuf::from("/lld")),
            ..Found::default()
        };
        assert_eq!(
            choose(only_linker),
            Err(vec!["rustc-web", "cargo-web", "rust-web-src"])
        );
    }
}
