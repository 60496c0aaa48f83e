//! The guests that runs keep in the state folder, by digest, so that a run can be continued whatever becomes of the file that it
//! was started with.

use crate::error::RunsError;
use crate::run_result::LoadedGuest;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use wreimage_engine::{Engine, Guest};
use wreimage_journal::Folder;

/// The folder of these guests, in the state folder.
const GUESTS: &str = "guests";

fn file_name(digest: &str) -> String {
    format!("{digest}.wasm")
}

fn path_of(state: &Path, digest: &str) -> PathBuf {
    state.join(GUESTS).join(file_name(digest))
}

/// Loads the guest with this SHA-256 that a run or a batch has kept. Others can write to the state folder: it must be that
/// guest.
///
/// # Errors
/// When it is not there, or cannot be loaded.
pub async fn load_pinned(
    engine: &Engine,
    state: &Path,
    digest: &str,
) -> Result<LoadedGuest, RunsError> {
    let path = path_of(state, digest);
    let bytes = read(state, digest)?;
    let guest = match Guest::load_known(engine, &bytes, Some(digest)).await {
        Ok(guest) => guest,
        Err(error) => {
            let source = Box::new(error);
            return Err(RunsError::GuestRefused { path, source });
        }
    };
    if guest.digest() != digest {
        return Err(RunsError::OtherGuest { path });
    }
    Ok(LoadedGuest { guest, bytes })
}

fn read(state: &Path, digest: &str) -> Result<Vec<u8>, RunsError> {
    let read = Folder::of_state(state)
        .and_then(|state| state.sub(GUESTS))
        .and_then(|guests| guests.read(&file_name(digest)));
    read.map_err(|source| RunsError::GuestUnreadable {
        path: path_of(state, digest),
        source,
    })
}

/// Keeps a guest by its digest.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn pin_guest(state: &Path, digest: &str, bytes: &[u8]) -> Result<(), RunsError> {
    let name = file_name(digest);
    let kept = Folder::make_state(state)
        .and_then(|state| state.make_sub(GUESTS))
        .and_then(|guests| {
            if guests.open(&name).is_ok_and(|there| holds(there, bytes)) {
                return Ok(());
            }
            guests.keep(&name, bytes)
        });
    kept.map_err(|source| RunsError::GuestNotKept {
        path: path_of(state, digest),
        source,
    })
}

/// Whether a file holds these bytes and no more. Guests are large: it is not read into memory as a whole.
fn holds(mut file: File, mut bytes: &[u8]) -> bool {
    let mut part = vec![0; 64 << 10];
    loop {
        match file.read(&mut part) {
            Ok(0) => return bytes.is_empty(),
            Ok(length) => {
                let rest = part.get(..length).and_then(|part| bytes.strip_prefix(part));
                let Some(rest) = rest else { return false };
                bytes = rest;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}
