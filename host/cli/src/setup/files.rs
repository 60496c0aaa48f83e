//! Where things lie: guests, site file, cache, records.

use crate::failure::Failure;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use wreimage_engine::{CompileLimits, GuestError};

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
            Err(Failure::Usage(format!("there is no {what} at {name}")))
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
            Failure::Usage(format!(
                "there is no {what} `{name}`: {file} is in none of {}; give a path, or name the folder in $WREIMAGE_GUESTS",
                looked.join(", ")
            ))
        })
}

/// A component that the command line names. One that is larger than a component may be is not read to its end.
pub fn read_component(path: &Path, limits: &CompileLimits) -> Result<Vec<u8>, Failure> {
    let unreadable = |source| Failure::File {
        path: path.to_owned(),
        what: "read",
        source,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut bytes = Vec::new();
    file.take(limits.component.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limits.component {
        let limit = limits.component;
        let error = GuestError::TooLarge { size, limit };
        return Err(Failure::Guest {
            label: path.display().to_string(),
            source: Box::new(error),
        });
    }
    Ok(bytes)
}
