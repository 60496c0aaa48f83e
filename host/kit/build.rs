//! Lists the files of this repository that are part of the program: the packages of the host, and what a
//! guest in Rust is built from.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let root = root.canonicalize()?;
    let mut text = String::new();
    for (name, doc, folder) in [
        ("WIT", "The border: every package of the host.", "wit"),
        ("FACTS", "Facts that the SDK for Rust uses.", "facts"),
        ("SDK_RUST", "The SDK for Rust.", "guests/sdk"),
    ] {
        let folder = root.join(folder);
        let mut files = Vec::new();
        list(&folder, &mut files)?;
        files.sort_by_key(|file| file.display().to_string());
        writeln!(text, "/// {doc}\npub(crate) const {name}: &[File] = &[")?;
        for file in files {
            let path = file.strip_prefix(&folder)?.display().to_string();
            let file = file.display().to_string();
            writeln!(text, "    ({path:?}, include_str!({file:?})),")?;
        }
        writeln!(text, "];")?;
    }
    let out = PathBuf::from(env::var("OUT_DIR")?).join("files.rs");
    fs::write(out, text)?;
    Ok(())
}

/// The files below a folder. Cargo runs this again when one comes or goes.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // Published packages are kept for comparison only.
        if path.is_dir() && path.ends_with("wit/frozen") {
            continue;
        }
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
