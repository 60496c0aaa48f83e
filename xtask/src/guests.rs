//! Builds the guests into components.

use crate::toolchain;
use crate::{component, digest, inner, repository};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use wreimage_kit::{TARGET, Toolchain, write_whole};

/// The guest that a site's components can be plugged into, and the package with the defaults of its hooks: what is shipped
/// is both in one.
const OPEN: &str = "reimage";
const DEFAULTS: &str = "default-hooks";

/// Package of the misbehaving guests; each is an example of it.
const FIXTURES: &str = "fixtures";

/// The fixture that stays a core module with component type information, for the host to wrap.
const NOT_WRAPPED: &str = "core-module";

/// Builds `target/guests/NAME.wasm` of every guest and, when asked for, `target/guests/fixtures/NAME.wasm` of every
/// misbehaving one. Does nothing when nothing has changed.
///
/// # Errors
/// When no toolchain can be had, a guest does not compile, or a component would import something of WASI.
pub fn build(with_fixtures: bool) -> Result<()> {
    let toolchain = toolchain::get()?;
    let digest = digest_of_sources(&toolchain)?;
    build_set(&Set::guests()?, &toolchain, &digest)?;
    if with_fixtures {
        build_set(&Set::fixtures()?, &toolchain, &digest)?;
    }
    Ok(())
}

/// Some guests that are built together.
struct Set {
    /// Arguments of `cargo build` that choose them.
    arguments: Vec<String>,
    /// Where cargo leaves the core modules, below the target's release folder.
    built_in: &'static str,
    /// Where the components go.
    into: PathBuf,
    names: Vec<String>,
    /// Whether a core module may stay one.
    core_modules: bool,
}

impl Set {
    fn guests() -> Result<Self> {
        let mut names = vec![OPEN.to_owned()];
        names.extend(names_in(&repository::guests().join("examples"), |path| {
            path.join("Cargo.toml").exists()
        })?);
        Ok(Set {
            arguments: names
                .iter()
                .map(String::as_str)
                .chain([DEFAULTS])
                .map(|name| format!("--package={name}"))
                .collect(),
            built_in: "",
            into: repository::components(),
            names,
            core_modules: false,
        })
    }

    fn fixtures() -> Result<Self> {
        let folder = repository::guests().join(FIXTURES).join("examples");
        let names = names_in(&folder, |path| {
            path.extension().is_some_and(|extension| extension == "rs")
        })?;
        Ok(Set {
            arguments: vec![format!("--package={FIXTURES}"), "--examples".to_owned()],
            built_in: "examples",
            into: repository::components().join(FIXTURES),
            names,
            core_modules: true,
        })
    }

    fn component(&self, name: &str) -> PathBuf {
        self.into.join(format!("{name}.wasm"))
    }

    fn module(&self, name: &str) -> PathBuf {
        repository::guests_build()
            .join(TARGET)
            .join("release")
            .join(self.built_in)
            .join(format!("{}.wasm", name.replace('-', "_")))
    }

    /// Holds the digest of what the components were made from.
    fn stamp(&self) -> PathBuf {
        self.into.join("sources.sha256")
    }

    fn is_current(&self, digest: &str) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == digest)
            && self.names.iter().all(|name| self.component(name).exists())
    }
}

/// Names of the entries of a folder that `wanted` accepts, without extension, sorted.
fn names_in(folder: &Path, wanted: fn(&Path) -> bool) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot list {}", folder.display()))?
            .path();
        if let Some(name) = path.file_stem().filter(|_| wanted(&path)) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn digest_of_sources(toolchain: &Toolchain) -> Result<String> {
    let root = repository::root();
    let mut contents = digest::Contents::new();
    contents.add(
        "toolchain",
        toolchain.version(&toolchain::bounds())?.as_bytes(),
    );
    // xtask, because it says how modules are compiled and wrapped.
    // The library that wraps them is pinned in the workspace.
    let manifest = root.join("Cargo.toml");
    let pins =
        fs::read(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    contents.add("Cargo.toml", &pins);
    for folder in ["facts", "guests", "wit", "xtask"] {
        contents.add_folder(root, &root.join(folder))?;
    }
    Ok(contents.finish())
}

fn build_set(set: &Set, toolchain: &Toolchain, digest: &str) -> Result<()> {
    let shown = set
        .into
        .strip_prefix(repository::root())
        .unwrap_or(&set.into);
    if set.is_current(digest) {
        println!("xtask: {} is current", shown.display());
        return Ok(());
    }
    println!("xtask: compiling guests with {}", toolchain.described());
    let began = Instant::now();
    inner::run(
        cargo(toolchain)
            .arg("build")
            .args(toolchain.build_arguments())
            .args(&set.arguments),
    )?;
    fs::create_dir_all(&set.into).with_context(|| format!("cannot make {}", set.into.display()))?;
    let version = sdk_version(toolchain)?;
    for name in &set.names {
        let size = make(set, name, &version).with_context(|| format!("guest {name}"))?;
        println!("xtask: {}/{name}.wasm {size} bytes", shown.display());
        ship_invariants(set, name)?;
    }
    write(&set.stamp(), digest.as_bytes())?;
    println!("xtask: {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// What a guest must keep to is shipped beside it.
fn ship_invariants(set: &Set, name: &str) -> Result<()> {
    let guests = repository::guests();
    for folder in [guests.join(name), guests.join("examples").join(name)] {
        let file = folder.join("invariants.toml");
        if file.exists() {
            let beside = set.component(name).with_extension("invariants.toml");
            let text =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            write(&beside, &text)?;
        }
    }
    Ok(())
}

/// A cargo in the workspace of the guests.
pub fn cargo(toolchain: &Toolchain) -> Command {
    let mut command = toolchain.cargo(&[(repository::root(), "wreimage")]);
    command
        .current_dir(repository::guests())
        .env("CARGO_TARGET_DIR", repository::guests_build());
    command
}

/// Makes a cargo of the host's toolchain work on the guests, compiled for this machine: their logic is tested and checked
/// without WebAssembly.
pub fn natively(command: &mut Command) {
    command
        .current_dir(repository::guests())
        .env("CARGO_TARGET_DIR", repository::guests_native())
        // Only makes components smaller, and takes long.
        .env("CARGO_PROFILE_RELEASE_LTO", "off");
}

/// Version of the SDK.
fn sdk_version(toolchain: &Toolchain) -> Result<String> {
    let id = inner::output(cargo(toolchain).args(["pkgid", "--package", "wreimage-sdk"]))?;
    let (_, version) = id
        .rsplit_once(['#', '@'])
        .with_context(|| format!("no version in `{id}`"))?;
    Ok(version.to_owned())
}

/// Makes one component of its core module and returns its size in bytes.
fn make(set: &Set, name: &str, version: &str) -> Result<usize> {
    let path = set.module(name);
    let module = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let stays = name == NOT_WRAPPED || !component::has_type_information(&module)?;
    if set.core_modules && stays {
        write(&set.component(name), &module)?;
        return Ok(module.len());
    }
    let mut component = component::wrap(&module, name, version)?;
    let wasi: Vec<String> = component::imports(&component)?
        .into_iter()
        .filter(|import| import.starts_with("wasi:"))
        .collect();
    // A fixture may be there to be refused for it.
    if !wasi.is_empty() && !set.core_modules {
        bail!("it imports {}, which no Rust guest may", wasi.join(", "));
    }
    if name == OPEN {
        let path = set.module(DEFAULTS);
        let module = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let defaults = component::wrap(&module, DEFAULTS, version)?;
        component = wreimage_composition::complete(&component, &defaults)?;
    }
    write(&set.component(name), &component)?;
    Ok(component.len())
}

fn write(path: &Path, contents: &[u8]) -> Result<()> {
    write_whole(path, contents).with_context(|| format!("cannot write {}", path.display()))
}
