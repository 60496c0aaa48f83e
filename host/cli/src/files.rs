//! Where things lie: guests, site file, cache, records.

use crate::exit::Failure;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use wreimage_engine::{CompileLimits, GuestError};
use wreimage_journal::Folder;

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// One of the base directories of the XDG specification; relative ones are ignored, as it demands.
fn base(name: &str, below_home: &str) -> Option<PathBuf> {
    variable(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(below_home)))
}

/// Where compiled guests are kept.
pub fn cache() -> Option<PathBuf> {
    base("XDG_CACHE_HOME", ".cache").map(|base| base.join("wreimage").join("guests"))
}

/// Where it is kept what the commands of a site have listed.
pub fn lists() -> Option<PathBuf> {
    base("XDG_CACHE_HOME", ".cache").map(|base| base.join("wreimage").join("lists"))
}

/// Where runs are recorded when the site names no folder.
pub fn state() -> Result<PathBuf, Failure> {
    wreimage_journal::state_directory().ok_or_else(|| {
        Failure::usage("there is no place for the record of the run: set HOME or XDG_STATE_HOME")
    })
}

/// The site file that is used without `--site`, if there is one.
pub fn site_file() -> Option<PathBuf> {
    if let Some(path) = variable("WREIMAGE_SITE") {
        return Some(path.into());
    }
    let user = base("XDG_CONFIG_HOME", ".config").map(|base| base.join("wreimage/site.toml"));
    // A file that is there and cannot be read is an error later, never a reason for the lab.
    user.into_iter()
        .chain([PathBuf::from("/etc/wreimage/site.toml")])
        .find(|path| path.symlink_metadata().is_ok())
}

/// The folders in which a guest's bare name is looked up.
fn guest_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(path) = variable("WREIMAGE_GUESTS") {
        folders.extend(std::env::split_paths(&path));
    }
    folders.extend(base("XDG_DATA_HOME", ".local/share").map(|base| base.join("wreimage/guests")));
    let installation = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.parent()?.join("share/wreimage/guests")));
    folders.extend(installation);
    folders
}

/// The file of a guest: a path as it is, a bare name in the guest folders.
pub fn guest(name: &str) -> Result<PathBuf, Failure> {
    component(name, "guest")
}

/// The file of a component to plug in, as that of a guest.
pub fn plug(name: &str) -> Result<PathBuf, Failure> {
    component(name, "component to plug in")
}

fn component(name: &str, what: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(name);
    let bare = path.components().count() == 1 && path.extension().is_none();
    if !bare {
        return if path.is_file() {
            Ok(path.to_owned())
        } else {
            Err(Failure::usage(format!("there is no {what} at {name}")))
        };
    }
    let folders = guest_folders();
    let file = format!("{name}.wasm");
    folders
        .iter()
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            let looked: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
            Failure::usage(format!(
                "there is no {what} `{name}`: {file} is in none of {}; give a path, or name the folder in $WREIMAGE_GUESTS",
                looked.join(", ")
            ))
        })
}

/// A component that the command line names. One that is larger than a component may be is not read to its end.
pub fn read_component(path: &Path, limits: &CompileLimits) -> Result<Vec<u8>, Failure> {
    let unreadable = |error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    file.take(limits.component.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limits.component {
        let limit = limits.component;
        let error = GuestError::TooLarge { size, limit };
        return Err(Failure::refused(format!("{}: {error}", path.display())));
    }
    Ok(bytes)
}

/// The folder of the guests that runs have kept, in the state folder.
const GUESTS: &str = "guests";

fn pinned_name(digest: &str) -> String {
    format!("{digest}.wasm")
}

/// The file of the guest with this digest, which a run has kept.
pub fn pinned_guest(state: &Path, digest: &str) -> PathBuf {
    state.join(GUESTS).join(pinned_name(digest))
}

/// What that file holds.
pub fn read_pinned(state: &Path, digest: &str) -> Result<Vec<u8>, Failure> {
    let read = Folder::of_state(state)
        .and_then(|state| state.sub(GUESTS))
        .and_then(|guests| guests.read(&pinned_name(digest)));
    read.map_err(|error| {
        let path = pinned_guest(state, digest);
        Failure::usage(format!("{} cannot be read: {error}", path.display()))
    })
}

/// Keeps a guest by its digest, so that a run can be gone on with whatever becomes of the file that it was started with.
pub fn pin_guest(state: &Path, digest: &str, bytes: &[u8]) -> Result<(), Failure> {
    let name = pinned_name(digest);
    let kept = Folder::make_state(state)
        .and_then(|state| state.make_sub(GUESTS))
        .and_then(|guests| {
            if guests.open(&name).is_ok_and(|there| holds(there, bytes)) {
                return Ok(());
            }
            guests.keep(&name, bytes)
        });
    kept.map_err(|error| {
        Failure::usage(format!(
            "the guest cannot be kept in {}: {error}",
            pinned_guest(state, digest).display()
        ))
    })
}

/// Whether a file holds these bytes and no more. Guests are large: it is not read into memory as a whole.
fn holds(mut file: std::fs::File, mut bytes: &[u8]) -> bool {
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
