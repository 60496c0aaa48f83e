//! Adds a made-up capability to a copy of this repository: what a new capability costs is counted, not promised.

use crate::copy::copy;
use crate::{generate, inner, repository};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of the capability, as they lie in the repository.
const FILES: &str = "tests/lamp/files";
/// What adding a capability may cost.
const MOST_FILES: usize = 5;
const MOST_ROWS: usize = 4;

/// A line that is added to a list.
struct Row {
    file: &'static str,
    /// The line before it.
    after: &'static str,
    line: &'static str,
}

const ROWS: [Row; 2] = [
    Row {
        file: "host/capability/src/listing.rs",
        after: "    clock,",
        line: "    lamp,",
    },
    Row {
        file: "host/live/src/list.rs",
        after: "    row::<crate::remote::Remote>(),",
        line: "    row::<crate::lamp::Lamp>(),",
    },
];

/// What a copy of the repository needs to be compiled.
const PARTS: [&str; 11] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "CHANGELOG.md",
    "docs",
    "facts",
    "guests",
    "host",
    "tests",
    "wit",
    "xtask",
];

/// Applies the capability to a copy and checks that it compiles; with `whole` its tests are run, too.
///
/// # Errors
/// When it costs too much, does not compile, or its tests fail.
pub fn run(whole: bool) -> Result<()> {
    let copy = applied()?;
    let mut cargo = inner::cargo();
    // The crates of the registry are compiled once for the repository and its copy.
    cargo
        .current_dir(&copy)
        .env("CARGO_TARGET_DIR", repository::root().join("target"));
    if whole {
        cargo.args(["test", "--release", "--workspace", "--lib", "lamp"]);
    } else {
        // Of the whole workspace, as another choice would compile the crates of the registry with other features.
        cargo.args(["check", "--release", "--workspace"]);
    }
    inner::run(&mut cargo)
}

/// The copy with the capability.
fn applied() -> Result<PathBuf> {
    let (root, copy_of) = (repository::root(), repository::root().join("target/lamp"));
    fs::create_dir_all(&copy_of)?;
    for part in PARTS {
        copy(&root.join(part), &copy_of.join(part)).with_context(|| format!("a copy of {part}"))?;
    }
    let mut files = Vec::new();
    list(&root.join(FILES), &mut files)?;
    ensure!(
        files.len() <= MOST_FILES && ROWS.len() <= MOST_ROWS,
        "a capability costs {} files and {} rows; it may cost {MOST_FILES} and {MOST_ROWS}",
        files.len(),
        ROWS.len()
    );
    for file in &files {
        let path = file.strip_prefix(root.join(FILES))?;
        let target = copy_of.join(path);
        ensure!(!target.exists(), "{} is no new file", path.display());
        fs::create_dir_all(target.parent().unwrap_or(&copy_of))?;
        fs::copy(file, target)?;
    }
    for row in &ROWS {
        let path = copy_of.join(row.file);
        let text = fs::read_to_string(&path)?;
        let text = with_row(&text, row)
            .with_context(|| format!("{} has no line `{}`", row.file, row.after))?;
        fs::write(path, text)?;
    }
    generate::write(&copy_of)?;
    println!(
        "xtask: the lamp costs {} files and {} rows",
        files.len(),
        ROWS.len()
    );
    Ok(copy_of)
}

fn with_row(text: &str, row: &Row) -> Option<String> {
    let after = format!("{}\n", row.after);
    let at = text.find(&after)? + after.len();
    let (before, rest) = text.split_at_checked(at)?;
    Some(format!("{before}{}\n{rest}", row.line))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_place() {
        for row in &ROWS {
            let text = fs::read_to_string(repository::root().join(row.file)).unwrap();
            let added = with_row(&text, row).unwrap();
            assert_eq!(added.lines().count(), text.lines().count() + 1);
        }
        assert!(with_row("a\n", &ROWS[0]).is_none());
    }
}
