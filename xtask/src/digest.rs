//! A hash of contents, by which nothing is built twice.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Grows from labelled contents; two different sequences of them never have the same input.
#[derive(Default)]
pub struct Contents(Sha256);

impl Contents {
    /// Nothing yet.
    pub fn new() -> Self {
        Contents::default()
    }

    /// Adds some contents under a label.
    pub fn add(&mut self, label: &str, contents: &[u8]) {
        for part in [label.as_bytes(), contents] {
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
    }

    /// Adds every file below a folder, by its path relative to `root`, in the order of the paths. Build products
    /// (folders named `target` or `__pycache__`) do not count.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn add_folder(&mut self, root: &Path, folder: &Path) -> Result<()> {
        for file in files(folder)? {
            let name = file.strip_prefix(root).unwrap_or(&file);
            let contents =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            self.add(&name.to_string_lossy(), &contents);
        }
        Ok(())
    }

    /// SHA-256 of all that was added, in hexadecimal.
    pub fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let path = entry.path();
            if !path.is_dir() {
                found.push(path);
            } else if entry.file_name() != "target" && entry.file_name() != "__pycache__" {
                folders.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(folder: &Path) -> String {
        let mut contents = Contents::new();
        contents.add_folder(folder, folder).unwrap();
        contents.finish()
    }

    #[test]
    fn contents_and_names_count_and_build_products_do_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/target")).unwrap();
        fs::write(folder.path().join("a/x"), "1").unwrap();
        let first = of(folder.path());

        fs::write(folder.path().join("a/target/x"), "built").unwrap();
        assert_eq!(of(folder.path()), first);

        fs::write(folder.path().join("a/x"), "2").unwrap();
        let second = of(folder.path());
        assert_ne!(second, first);

        fs::rename(folder.path().join("a/x"), folder.path().join("a/y")).unwrap();
        assert_ne!(of(folder.path()), second);
    }

    #[test]
    fn a_label_is_not_a_part_of_its_contents() {
        let mut one = Contents::new();
        one.add("ab", b"c");
        let mut other = Contents::new();
        other.add("a", b"bc");
        assert_ne!(one.finish(), other.finish());
    }
}
