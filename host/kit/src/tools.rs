//! Where the programs are that pack Python and JavaScript.

use crate::KitError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A program that makes components.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its name on the path.
    pub name: &'static str,
    /// The environment variable that names the file.
    pub variable: &'static str,
    /// The version that this host is tested with.
    pub version: &'static str,
    /// Folders in a guest folder where its installers leave it.
    folders: &'static [&'static str],
    /// Lines that install it in the guest folder.
    install: &'static str,
}

/// Packs Python.
pub const COMPONENTIZE_PY: Tool = Tool {
    name: "componentize-py",
    variable: "WREIMAGE_COMPONENTIZE_PY",
    version: "0.25.1",
    folders: &[".venv/bin", "venv/bin"],
    install: "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1",
};

/// Packs JavaScript.
pub const COMPONENTIZE_QJS: Tool = Tool {
    name: "componentize-qjs",
    variable: "WREIMAGE_COMPONENTIZE_QJS",
    version: "0.4.5",
    folders: &["node_modules/.bin"],
    install: "npm install --save-dev componentize-qjs@0.4.5",
};

impl Tool {
    /// The program: the one that is known, else what the environment variable names, else what is installed in the guest
    /// folder or one above it, in the active virtual environment, or on the path.
    pub(crate) fn find(&self, known: Option<&Path>, guest: &Path) -> Result<PathBuf, KitError> {
        if let Some(known) = known {
            return Ok(known.to_owned());
        }
        if let Some(named) = variable(self.variable) {
            let path = PathBuf::from(named);
            return if path.is_file() {
                Ok(path)
            } else {
                Err(KitError::Missing(format!(
                    "${} names {}, where no file is",
                    self.variable,
                    path.display()
                )))
            };
        }
        let environment = variable("VIRTUAL_ENV").map(|it| PathBuf::from(it).join("bin"));
        let path = variable("PATH").unwrap_or_default();
        let elsewhere = environment
            .into_iter()
            .chain(std::env::split_paths(&path))
            .map(|folder| folder.join(self.name))
            .find(|path| path.is_file());
        self.installed_above(guest)
            .or(elsewhere)
            .ok_or_else(|| {
                KitError::Missing(format!(
                    "{} is not installed, neither in {} nor on the path, and ${} does not name it. Run:\n\n    cd {} && {}\n",
                    self.name,
                    guest.display(),
                    self.variable,
                    guest.display(),
                    self.install
                ))
            })
    }

    /// In the guest folder, or the nearest one above it that has it.
    fn installed_above(&self, guest: &Path) -> Option<PathBuf> {
        guest
            .ancestors()
            .flat_map(|folder| self.folders.iter().map(move |below| folder.join(below)))
            .map(|folder| folder.join(self.name))
            .find(|path| path.is_file())
    }
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{COMPONENTIZE_PY, COMPONENTIZE_QJS};

    #[test]
    fn the_lines_that_install_name_the_version() {
        for tool in [COMPONENTIZE_PY, COMPONENTIZE_QJS] {
            assert!(tool.install.contains(tool.name) && tool.install.contains(tool.version));
        }
    }

    #[test]
    fn a_tool_is_found_in_a_folder_above() {
        let folder = tempfile::tempdir().unwrap();
        let guest = folder.path().join("a/b");
        let bin = folder.path().join(".venv/bin");
        std::fs::create_dir_all(&guest).unwrap();
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join("componentize-py"), "").unwrap();
        let found = COMPONENTIZE_PY.installed_above(&guest).unwrap();
        assert_eq!(found, bin.join("componentize-py"));
    }
}
