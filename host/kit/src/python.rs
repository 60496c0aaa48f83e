//! Python guests: the app and its interpreter in one component.

use crate::build::{made, workshop};
use crate::child::Bounds;
use crate::files::SDK_PYTHON;
use crate::{KitError, wit};
use std::path::Path;
use std::process::Command;

/// The module with the class `Guest`.
const MODULE: &str = "guest";

pub(crate) fn build(
    folder: &Path,
    tool: &Path,
    bounds: &Bounds,
) -> Result<(String, Vec<u8>), KitError> {
    let work = workshop()?;
    let staged = work.path().join("wit");
    let world = wit::stage(folder, &staged)?;
    if world == MODULE {
        return Err(KitError::Wrong(format!(
            "the world of {} is called `{MODULE}`, as the module guest.py is: give it the guest's name",
            folder.display()
        )));
    }
    // The guest's own copy of the SDK, where it has one, is found first.
    let sdk = work.path().join("sdk");
    let (name, text) = SDK_PYTHON;
    std::fs::create_dir_all(&sdk).map_err(KitError::file(&sdk))?;
    std::fs::write(sdk.join(name), text).map_err(KitError::file(&sdk))?;
    let output = work.path().join("guest.wasm");
    let mut command = Command::new(tool);
    command
        .current_dir(folder)
        .arg("--wit-path")
        .arg(&staged)
        .args(["--world", &world, "componentize", MODULE, "--python-path"])
        .arg(folder)
        .arg("--python-path")
        .arg(&sdk)
        .arg("--output")
        .arg(&output);
    bounds.run(&mut command)?;
    Ok((world, made(&output)?))
}
