//! Where mutants are built: a copy of the sources, to which one patch at a time is applied.

use super::mutant::Mutant;
use super::trial::Pair;
use crate::built::Built;
use crate::copy::copy;
use crate::toolchain;
use crate::{component, guests, inner, repository};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wreimage_kit::{TARGET, Toolchain};

/// A workshop for mutants of the guest, or of the host.
pub struct Workshop {
    source: PathBuf,
    build: PathBuf,
    made: PathBuf,
    kind: Kind,
}

enum Kind {
    /// The guest is built, and played by the program without a mutation.
    Guest {
        toolchain: Toolchain,
        program: PathBuf,
    },
    /// The program is built, and plays the guest without a mutation.
    Host { guest: PathBuf },
}

impl Workshop {
    /// For mutants of the guest.
    pub fn of_guests() -> Result<Self> {
        let toolchain = toolchain::get()?;
        let program = Built::programs()?.program("wreimage")?.to_owned();
        let kind = Kind::Guest { toolchain, program };
        let folder = repository::root().join("target").join("mutants");
        Workshop::set_up(&folder, &["facts", "guests", "wit"], kind)
    }

    /// For mutants of the host.
    pub fn of_hosts() -> Result<Self> {
        guests::build(false)?;
        let folder = repository::root().join("target").join("mutants-host");
        let kind = Kind::Host {
            guest: folder.join("made").join("reimage.wasm"),
        };
        let parts = [
            ".cargo",
            "Cargo.lock",
            "Cargo.toml",
            "docs",
            "facts",
            "guests",
            "host",
            "tests",
            "wit",
            "xtask",
        ];
        let workshop = Workshop::set_up(&folder, &parts, kind)?;
        if let Kind::Host { guest } = &workshop.kind {
            fs::copy(repository::components().join("reimage.wasm"), guest)?;
        }
        Ok(workshop)
    }

    fn set_up(folder: &Path, parts: &[&str], kind: Kind) -> Result<Self> {
        let workshop = Workshop {
            source: folder.join("src"),
            build: folder.join("build"),
            made: folder.join("made"),
            kind,
        };
        if workshop.made.exists() {
            fs::remove_dir_all(&workshop.made).context("the mutants of last time")?;
        }
        fs::create_dir_all(&workshop.made)?;
        fs::create_dir_all(&workshop.source)?;
        for part in parts {
            copy(&repository::root().join(part), &workshop.source.join(part))
                .with_context(|| format!("a copy of {part}"))?;
        }
        Ok(workshop)
    }

    /// What the sources make as they are.
    pub fn without_mutation(&self) -> Result<Pair> {
        println!("xtask: compiling without a mutation");
        self.compile()?;
        self.pair("without-mutation")
    }

    /// Applies the patch, builds, and takes the patch out again.
    pub fn with(&self, mutant: &Mutant) -> Result<Pair> {
        self.patch(&mutant.patch, &["--check"])
            .context("the patch does not apply")?;
        self.patch(&mutant.patch, &[])?;
        let compiled = self.compile();
        self.patch(&mutant.patch, &["--reverse"])?;
        compiled?;
        self.pair(&mutant.name)
    }

    /// Puts what was compiled last aside.
    fn pair(&self, name: &str) -> Result<Pair> {
        match &self.kind {
            Kind::Guest { program, .. } => Ok(Pair {
                program: program.clone(),
                guest: self.component(name)?,
            }),
            Kind::Host { guest } => {
                let program = self.made.join(name);
                fs::copy(self.build.join("release").join("wreimage"), &program)?;
                Ok(Pair {
                    program,
                    guest: guest.clone(),
                })
            }
        }
    }

    fn component(&self, name: &str) -> Result<PathBuf> {
        let wrapped = |package: &str, file: &str| {
            let module = self.build.join(TARGET).join("release").join(file);
            let module =
                fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
            component::wrap(&module, package, "mutant")
        };
        let open = wrapped("reimage", "reimage.wasm")?;
        let defaults = wrapped("default-hooks", "default_hooks.wasm")?;
        let guest = self.made.join(format!("{name}.wasm"));
        fs::write(&guest, wreimage_composition::complete(&open, &defaults)?)?;
        Ok(guest)
    }

    fn patch(&self, patch: &Path, arguments: &[&str]) -> Result<()> {
        apply(&self.source, patch, arguments)
    }

    fn compile(&self) -> Result<()> {
        let mut cargo = match &self.kind {
            Kind::Guest { toolchain, .. } => {
                let mut cargo = guests::cargo(toolchain);
                cargo
                    .arg("build")
                    .args(toolchain.build_arguments())
                    .args(["--package=reimage", "--package=default-hooks"])
                    .current_dir(self.source.join("guests"))
                    // Speed of compiling is all that counts here.
                    .env("CARGO_PROFILE_RELEASE_LTO", "off")
                    .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
                    .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
                    .env("CARGO_INCREMENTAL", "1");
                cargo
            }
            Kind::Host { .. } => {
                let mut cargo = inner::cargo();
                cargo
                    .args(["build", "--release", "--workspace", "--bin=wreimage"])
                    .current_dir(&self.source);
                cargo
            }
        };
        let output = cargo
            .arg("--quiet")
            // Never that of the repository: cargo names what it compiles of a workspace by where it stands in it, and would
            // take a mutant's crates for the repository's own.
            .env("CARGO_TARGET_DIR", &self.build)
            .env_remove("CARGO_BUILD_BUILD_DIR")
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!(
                "it does not compile: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }
}

/// Applies a patch to a folder. git works on a copy that is no repository, whatever stands above it.
pub fn apply(folder: &Path, patch: &Path, arguments: &[&str]) -> Result<()> {
    let above = folder.parent().unwrap_or(folder);
    inner::output(
        Command::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .args(arguments)
            .arg(patch)
            .current_dir(folder)
            .env("GIT_CEILING_DIRECTORIES", above),
    )
    .map(|_| ())
}
