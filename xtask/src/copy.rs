//! Copies of folders of this repository, in which sources are changed and compiled.

use anyhow::Result;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// Copies a file or a folder but for what was built in it; files that are the same already keep their times, so that only
/// what differs is compiled again.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        let contents = fs::read(from)?;
        if fs::read(to).ok().as_ref() != Some(&contents) {
            fs::write(to, contents)?;
        }
        return Ok(());
    }
    fs::create_dir_all(to)?;
    let mut there: Vec<OsString> = Vec::new();
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "target" {
            copy(&from.join(&name), &to.join(&name))?;
            there.push(name);
        }
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !there.contains(&entry.file_name()) {
            let path = entry.path();
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}
