//! JavaScript guests: the module and its interpreter in one component.

use crate::build::{made, workshop};
use crate::child::Bounds;
use crate::files::SDK_JAVASCRIPT;
use crate::{KitError, Language, wit};
use std::path::Path;
use std::process::Command;

pub(crate) fn build(
    folder: &Path,
    tool: &Path,
    bounds: &Bounds,
) -> Result<(String, Vec<u8>), KitError> {
    let work = workshop()?;
    let staged = work.path().join("wit");
    let world = wit::stage(folder, &staged)?;
    let (name, text) = SDK_JAVASCRIPT;
    let has_sdk = folder.join(name).is_file();
    // Modules are found below one root: with the host's SDK that is a copy.
    let root = if has_sdk {
        folder.to_owned()
    } else {
        let root = work.path().join("modules");
        copy_modules(folder, &root)?;
        std::fs::write(root.join(name), text).map_err(KitError::file(&root))?;
        root
    };
    let output = work.path().join("guest.wasm");
    let mut command = Command::new(tool);
    command
        .current_dir(&root)
        // Without it calls would be asynchronous, and a guest makes one after the other.
        .arg("--sync")
        .arg("--wit")
        .arg(&staged)
        .args(["--world", &world, "--js", Language::JavaScript.sign()])
        .arg("--module-root")
        .arg(&root)
        .arg("--output")
        .arg(&output);
    bounds.run(&mut command)?;
    Ok((world, made(&output)?))
}

/// Copies the modules of a folder and of those in it.
fn copy_modules(from: &Path, to: &Path) -> Result<(), KitError> {
    std::fs::create_dir_all(to).map_err(KitError::file(to))?;
    for entry in std::fs::read_dir(from).map_err(KitError::file(from))? {
        let entry = entry.map_err(KitError::file(from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        // A link could lead round in a circle.
        let kind = entry.file_type().map_err(KitError::file(&path))?;
        let is_module = path
            .extension()
            .is_some_and(|it| it == "js" || it == "mjs" || it == "json");
        if kind.is_dir() {
            copy_modules(&path, &target)?;
        } else if kind.is_file() && is_module {
            std::fs::copy(&path, &target).map_err(KitError::file(&path))?;
        }
    }
    Ok(())
}
