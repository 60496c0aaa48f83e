//! The file of a lab's world.

use crate::error::RunsError;
use std::path::Path;
use wreimage_lab::World;

/// The world of this file.
///
/// # Errors
/// When the file cannot be read, or is no world.
pub fn read_world(path: &Path) -> Result<World, RunsError> {
    let text = std::fs::read_to_string(path).map_err(|source| RunsError::WorldFileUnreadable {
        path: path.to_owned(),
        source,
    })?;
    World::parse(&text).map_err(|source| {
        let path = path.to_owned();
        RunsError::WorldFile { path, source }
    })
}
