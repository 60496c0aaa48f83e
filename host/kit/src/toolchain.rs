//! Which Rust toolchain compiles guests for wasm32. Nothing here ever lets rustup download anything.

use crate::KitError;
use crate::child::Bounds;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target of guests.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's packages of a toolchain that can build the standard library for [`TARGET`].
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// The oldest minor version of Rust 1 that the SDK's dependencies accept. Debian 12 had older ones before its security
/// updates.
const OLDEST_MINOR: u32 = 88;

/// Debian's package with a linker, for machines where no toolchain brings its own.
const DEBIAN_LINKER_PACKAGE: &str = "lld-22";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// Where Debian puts the WebAssembly linker of [`DEBIAN_LINKER_PACKAGE`].
const DEBIAN_LINKERS: [&str; 2] = ["/usr/bin/rust-lld", "/usr/bin/wasm-ld-22"];

/// What an outer cargo and rustup leave in the environment, and what would make an inner cargo of another toolchain use the
/// outer one's compiler, flags or libraries. The target directory is the user's choice.
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

/// Whether a variable of the outer environment must not reach an inner cargo of another toolchain.
pub fn is_scrubbed(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        SCRUBBED.contains(&name)
            || name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_PROFILE_")
            || (name.starts_with("CARGO_TARGET_") && name != "CARGO_TARGET_DIR")
    })
}

/// A command that knows nothing of the outer cargo. Never lets rustup download anything.
pub fn scrubbed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if is_scrubbed(&name) {
            command.env_remove(name);
        }
    }
    command.env("RUSTUP_AUTO_INSTALL", "0");
    command
}

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
struct Found {
    /// The toolchain on the path, or the one whose cargo runs this program, when it has the standard library for [`TARGET`].
    with_target: Option<Compiler>,
    /// Debian's toolchain, when it is there with the sources of the standard library.
    with_sources: Option<Compiler>,
    /// A linker for WebAssembly.
    linker: Option<PathBuf>,
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
fn choose(found: Found) -> Result<Toolchain, Vec<&'static str>> {
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

impl Toolchain {
    /// The one of this machine.
    ///
    /// # Errors
    /// [`KitError::NoToolchain`] when none can compile guests.
    pub fn find(bounds: &Bounds) -> Result<Self, KitError> {
        choose(look(bounds)).map_err(|packages| KitError::NoToolchain {
            oldest: OLDEST_MINOR,
            packages,
        })
    }

    fn compiler(&self) -> &Compiler {
        let (Toolchain::WithTarget(compiler) | Toolchain::WithSources { compiler, .. }) = self;
        compiler
    }

    /// A cargo for guests, without arguments; its environment is set. The paths of the sources of the standard library, of the
    /// crates, and of these folders stay out of what it compiles: the same sources give the same bytes.
    pub fn cargo(&self, folders: &[(&Path, &str)]) -> Command {
        let compiler = self.compiler();
        let mut command = scrubbed(&compiler.cargo);
        command
            .env("RUSTC", &compiler.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", self.remapped(folders));
        if let Toolchain::WithSources { linker, .. } = self {
            command
                .env("PATH", path_with_first(Path::new("/usr/bin")))
                // Building the standard library is an unstable option of a stable compiler.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        command
    }

    /// Compiler flags, as cargo takes them in one variable.
    fn remapped(&self, folders: &[(&Path, &str)]) -> OsString {
        let crates = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
            let home = env::var_os("HOME")?;
            Some(Path::new(&home).join(".cargo"))
        });
        let sources = sources(self.compiler());
        let places = folders
            .iter()
            .copied()
            .chain(crates.as_deref().map(|place| (place, "cargo")))
            .chain([(sources.as_path(), "rust")]);
        let mut flags = OsString::new();
        for (place, name) in places {
            if !flags.is_empty() {
                flags.push("\x1f");
            }
            flags.push("--remap-path-prefix=");
            flags.push(place);
            flags.push(format!("={name}"));
        }
        flags
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
    pub fn version(&self, bounds: &Bounds) -> Result<String, KitError> {
        let version = bounds.output(scrubbed(&self.compiler().rustc).arg("-vV"))?;
        Ok(format!("{}\n{version}", self.build_arguments().join(" ")))
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

/// A toolchain that cannot be asked is none.
fn look(bounds: &Bounds) -> Found {
    let outer = outer(bounds);
    let linker = outer
        .as_ref()
        .and_then(bundled_linker)
        .into_iter()
        .chain(DEBIAN_LINKERS.map(PathBuf::from))
        .find(|linker| linker.exists());
    let has_target = |it: &Compiler| {
        it.sysroot
            .join("lib/rustlib")
            .join(TARGET)
            .join("lib")
            .is_dir()
    };
    Found {
        with_target: outer.filter(has_target),
        with_sources: debian(bounds),
        linker,
    }
}

/// The toolchain on the path, or the one whose cargo runs this program.
fn outer(bounds: &Bounds) -> Option<Compiler> {
    let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    // Beside the real cargo stands the real compiler; `rustc` from the path may be rustup's.
    let beside = cargo.with_file_name("rustc");
    let rustc = if beside.is_absolute() && beside.exists() {
        beside
    } else {
        PathBuf::from("rustc")
    };
    let sysroot = sysroot(&rustc, bounds)?;
    Some(Compiler {
        cargo,
        rustc,
        sysroot,
    })
}

fn debian(bounds: &Bounds) -> Option<Compiler> {
    let (rustc, cargo) = (Path::new(DEBIAN_RUSTC), Path::new(DEBIAN_CARGO));
    if !rustc.exists() || !cargo.exists() {
        return None;
    }
    let compiler = Compiler {
        cargo: cargo.to_owned(),
        rustc: rustc.to_owned(),
        sysroot: sysroot(rustc, bounds)?,
    };
    let is_whole = sources(&compiler).join("library/std").is_dir();
    let version = bounds.output(scrubbed(rustc).arg("--version")).ok()?;
    (is_whole && is_new_enough(&version)).then_some(compiler)
}

/// Whether the SDK's dependencies accept a compiler that says this of itself, such as `rustc 1.96.0 (…)`.
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

fn sysroot(rustc: &Path, bounds: &Bounds) -> Option<PathBuf> {
    let said = bounds.output(scrubbed(rustc).args(["--print", "sysroot"]));
    said.ok().map(|said| PathBuf::from(said.trim_end()))
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
    #![allow(clippy::unwrap_used)]
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
        let cargo = toolchain.cargo(&[(Path::new("/a folder"), "guest")]);
        let environment: Vec<_> = cargo.get_envs().collect();
        assert!(environment.contains(&(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER".as_ref(),
            Some("/lld".as_ref())
        )));
        // A path may hold spaces.
        let flags = environment
            .iter()
            .find(|(name, _)| *name == "CARGO_ENCODED_RUSTFLAGS");
        let flags = flags.unwrap().1.unwrap().to_string_lossy().into_owned();
        let flags: Vec<&str> = flags.split('\x1f').collect();
        assert_eq!(flags.first(), Some(&"--remap-path-prefix=/a folder=guest"));
        assert_eq!(
            flags.last(),
            Some(&"--remap-path-prefix=/debian/lib/rustlib/src/rust=rust")
        );
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

    #[test]
    fn the_outer_toolchain_does_not_reach_the_inner_cargo() {
        for name in [
            "CARGO",
            "RUSTC",
            "RUSTUP_TOOLCHAIN",
            "RUSTFLAGS",
            "CARGO_PKG_NAME",
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
        ] {
            assert!(is_scrubbed(OsStr::new(name)), "{name}");
        }
        // Where crates come from must stay.
        for name in [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "CARGO_REGISTRIES_X_INDEX",
            "CARGO_TARGET_DIR",
            "PATH",
        ] {
            assert!(!is_scrubbed(OsStr::new(name)), "{name}");
        }
    }
}
