//! The rig's directories below `target/metal/`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::namespaces::{Owner, owner_is_alive};
use crate::template::directory;

/// One run's directory; its logs stay for a look until the next run begins.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
}

/// `target/metal` of the workspace, wherever cargo was told to put `target`.
pub(crate) fn base() -> Result<PathBuf> {
    let target = match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    };
    directory(target.join("metal"))?
        .canonicalize()
        .context("cannot resolve target/metal")
}

impl WorkDir {
    /// Makes `target/metal/run-<owner>` and removes what earlier processes left.
    pub(crate) fn create(owner: &Owner) -> Result<Self> {
        let base = base()?;
        for entry in fs::read_dir(&base)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(other) = name.strip_prefix("run-")
                && !owner_is_alive(other)
            {
                // Another test that starts now may remove it too.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let path = directory(base.join(format!("run-{}", owner.as_str())))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // Half a gigabyte that nobody looks at; console and logs stay.
        let _ = fs::remove_file(self.path.join("disk.raw"));
    }
}
