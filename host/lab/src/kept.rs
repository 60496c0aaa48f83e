//! A world that outlives its process: a directory that one process owns at a time.
//!
//! The world is written down before anybody is told an answer that rests on it, so that a process that is killed never
//! has told of something that the world has not seen.

use crate::time::Millis;
use crate::world::{World, WorldError};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A directory that cannot keep a world.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// Another process owns it.
    #[error(
        "the world in {} is in use by another process; give each run that goes on at the same time a world of its own",
        .0.display()
    )]
    InUse(PathBuf),
    /// What is in it is no world of this version.
    #[error("{}: {source}", path.display())]
    NotAWorld {
        /// The file.
        path: PathBuf,
        /// Why.
        source: WorldError,
    },
    /// It cannot be read or written.
    #[error("the world in {} cannot be kept: {source}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where a world is kept.
pub(crate) struct Kept {
    folder: PathBuf,
    /// The present of the world when it was written down last.
    saved: Option<Millis>,
    _owner: File,
}

impl Kept {
    /// Takes a directory, and the world that is in it; `None` when it has none yet.
    pub(crate) fn open(folder: &Path) -> Result<(Kept, Option<World>), KeptError> {
        let failed = |source| KeptError::Io {
            path: folder.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(failed)?;
        let owner = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("owner"))
            .map_err(failed)?;
        match owner.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(KeptError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let path = folder.join("world.json");
        let world = match fs::read_to_string(&path) {
            Ok(text) => Some(
                World::restore(&text).map_err(|source| KeptError::NotAWorld { path, source })?,
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let kept = Kept {
            folder: folder.to_owned(),
            saved: None,
            _owner: owner,
        };
        Ok((kept, world))
    }

    /// The world of a directory as it was written down last, whoever owns it; `None` when there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<World>, KeptError> {
        let path = folder.join("world.json");
        match fs::read_to_string(&path) {
            Ok(text) => World::restore(&text)
                .map(Some)
                .map_err(|source| KeptError::NotAWorld { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(KeptError::Io { path, source }),
        }
    }

    /// Writes the world down when it has changed or time has passed. A process that is killed leaves the one before or this
    /// one, never half of it.
    pub(crate) fn save(&mut self, world: &World, changed: bool) -> io::Result<()> {
        if !changed && self.saved == Some(world.now) {
            return Ok(());
        }
        let new = self.folder.join("world.new");
        File::create(&new)?.write_all(world.save().as_bytes())?;
        fs::rename(&new, self.folder.join("world.json"))?;
        self.saved = Some(world.now);
        Ok(())
    }
}
