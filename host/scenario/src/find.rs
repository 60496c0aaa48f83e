//! Where scenarios are.

use crate::error::ScenarioError;
use std::path::{Path, PathBuf};

/// The file of a scenario that is a folder.
const FILE: &str = "scenario.toml";

/// The scenario files at a path: the file itself; the file in a folder that is a scenario; or all in a folder of scenarios,
/// by name.
///
/// # Errors
/// When there is none.
pub fn find(path: &Path) -> Result<Vec<PathBuf>, ScenarioError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if path.join(FILE).is_file() {
        return Ok(vec![path.join(FILE)]);
    }
    let listing = path.read_dir().map_err(|error| {
        ScenarioError::new(
            path,
            format!("there is no scenario: it cannot be read: {error}"),
        )
    })?;
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|error| ScenarioError::new(path, error.to_string()))?;
        let inner = entry.path();
        if inner.join(FILE).is_file() {
            found.push(inner.join(FILE));
        } else if inner.is_file() && inner.extension().is_some_and(|it| it == "toml") {
            found.push(inner);
        }
    }
    if found.is_empty() {
        return Err(ScenarioError::new(
            path,
            format!("there is no scenario in it: neither NAME.toml nor NAME/{FILE}"),
        ));
    }
    found.sort();
    Ok(found)
}

/// The name of a scenario: of its folder, or of its file.
pub(crate) fn name_of(path: &Path) -> String {
    let named = if path.file_name().is_some_and(|name| name == FILE) {
        let folder = path.parent().filter(|it| it.file_name().is_some());
        folder.and_then(Path::file_name)
    } else {
        path.file_stem()
    };
    named.map_or_else(
        || "scenario".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Where its snapshot is: `journal.snap` in its folder, or `NAME.snap` beside its file.
pub(crate) fn snapshot_of(path: &Path) -> PathBuf {
    if path.file_name().is_some_and(|name| name == FILE) {
        path.with_file_name("journal.snap")
    } else {
        path.with_extension("snap")
    }
}
