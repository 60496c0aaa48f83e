//! What the tests of the book need: its pages, their blocks and links, and a folder in which commands are run.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

pub mod block;
pub mod link;
pub mod place;

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// A page: the README, or one of the book.
pub struct Page {
    /// Relative to the repository, such as `docs/sweep.md`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// All pages, the README first, then those of the book by name.
pub fn pages() -> Vec<Page> {
    let root = root();
    let mut names: Vec<String> = std::fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    names.sort();
    names.insert(0, "README.md".to_owned());
    names
        .into_iter()
        .map(|name| Page {
            text: std::fs::read_to_string(root.join(&name)).unwrap(),
            name,
        })
        .collect()
}
