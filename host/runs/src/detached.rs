//! What the processes in the background print: a file for each run or batch, in the state folder.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use wreimage_journal::Folder;

/// The folder of these files.
const LOGS: &str = "detached";

fn name_of(id: &str) -> String {
    format!("{id}.log")
}

/// The file into which the process of a run or batch in the background prints.
pub struct DetachedLog {
    folder: Folder,
    name: String,
}

impl DetachedLog {
    /// A new, empty file, open to be written.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(state: &Path, id: &str) -> io::Result<(Self, File)> {
        let folder = Folder::make_state(state)?.make_sub(LOGS)?;
        let name = name_of(id);
        folder.keep(&name, &[])?;
        let file = folder.append(&name)?;
        Ok((DetachedLog { folder, name }, file))
    }

    /// What was printed so far.
    pub fn text(&self) -> String {
        let bytes = self.folder.read(&self.name).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }
}

/// Removes what the run or batch of this id has printed in the background.
pub(crate) fn remove_log(state: &Folder, id: &str) {
    let _ = state.sub(LOGS).and_then(|logs| logs.remove(&name_of(id)));
}
