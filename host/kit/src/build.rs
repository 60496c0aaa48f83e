//! A guest folder becomes a component.

use crate::child::{Bounds, Stop};
use crate::{COMPONENTIZE_PY, COMPONENTIZE_QJS, KitError, Language, javascript, python, rust};
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A component that was made, and is in no file yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The guest's name: that of its world, or of its package.
    pub name: String,
    /// The language that it was written in.
    pub language: Language,
    /// The component.
    pub bytes: Vec<u8>,
}

/// Makes components of guest folders.
#[derive(Debug, Clone)]
pub struct Builder {
    /// How long each program that is started may take.
    pub deadline: Duration,
    /// Ends what is being built.
    pub stop: Stop,
    /// The program that packs Python, where it need not be looked for.
    pub componentize_py: Option<PathBuf>,
    /// The program that packs JavaScript, where it need not be looked for.
    pub componentize_qjs: Option<PathBuf>,
}

impl Builder {
    /// One that looks for its programs.
    pub fn new(deadline: Duration) -> Self {
        Builder {
            deadline,
            stop: Stop::new(),
            componentize_py: None,
            componentize_qjs: None,
        }
    }

    /// Makes a component of a guest folder. What the programs say that are started goes to standard error. The component is
    /// not checked: load it with the engine.
    ///
    /// # Errors
    /// When the folder is no guest, a program is missing, fails or does not end in time, or a file cannot be written.
    pub fn build(&self, folder: &Path) -> Result<Built, KitError> {
        let language = Language::of_folder(folder)?;
        let folder = folder.canonicalize().map_err(KitError::file(folder))?;
        let bounds = Bounds {
            deadline: self.deadline,
            stop: self.stop.clone(),
        };
        let (name, bytes) = match language {
            Language::Rust => rust::build(&folder, &bounds)?,
            Language::Python => {
                let tool = COMPONENTIZE_PY.find(self.componentize_py.as_deref(), &folder)?;
                python::build(&folder, &tool, &bounds)?
            }
            Language::JavaScript => {
                let tool = COMPONENTIZE_QJS.find(self.componentize_qjs.as_deref(), &folder)?;
                javascript::build(&folder, &tool, &bounds)?
            }
        };
        Ok(Built {
            name,
            language,
            bytes,
        })
    }
}

impl Built {
    /// Writes the component so that nobody ever sees a part of it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), KitError> {
        write_whole(path, &self.bytes).map_err(KitError::file(path))
    }
}

/// Writes a file so that whoever reads it sees all of it or what was there before.
///
/// # Errors
/// When it cannot be written; nothing is left of it then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".wreimage-")
        // As the user's mask has it.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// What a tool has left.
pub(crate) fn made(path: &Path) -> Result<Vec<u8>, KitError> {
    std::fs::read(path).map_err(KitError::file(path))
}

/// A folder of its own for what a build lays out, which goes away with it.
pub(crate) fn workshop() -> Result<tempfile::TempDir, KitError> {
    tempfile::Builder::new()
        .prefix("wreimage-build-")
        .tempdir()
        .map_err(KitError::file(std::env::temp_dir()))
}
