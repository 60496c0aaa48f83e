//! The systems that a command works on, as its arguments name them: the lab, or a real site.

use crate::arguments::Place;
use crate::failure::Failure;
use crate::setup::files;
use std::path::{Path, PathBuf};
use wreimage_lab::{Pace, World};
use wreimage_runs::Backend;
use wreimage_site::Site;

/// What is printed on stderr first.
pub fn notice(place: &Place, backend: &Backend) -> Option<String> {
    match backend {
        Backend::Lab { .. } => (place.lab.is_none() && place.world.is_none()).then(|| {
            "no site file was found: this is the lab, a simulated data centre; nothing real is touched"
                .to_owned()
        }),
        Backend::Site { site, .. } => {
            let from_lab = backend.from_lab();
            (!from_lab.is_empty()).then(|| {
                format!(
                    "from the lab on site {}: {}; the rest is real",
                    site.name(),
                    from_lab.join(", ")
                )
            })
        }
    }
}

/// Opens the place: `--lab` with its world, a site file, or the lab when there is no site file anywhere.
pub async fn open(place: &Place, pace: Pace) -> Result<Backend, Failure> {
    if place.lab.is_none()
        && place.world.is_none()
        && let Some(path) = place.site.clone().or_else(files::site_file)
    {
        let site = load_site(&path)?;
        site.ask_secrets().await.map_err(Failure::Secret)?;
        return Ok(Backend::site(site, path));
    }
    let file = place.lab.as_ref().and_then(Option::as_deref);
    let world = world(file)?;
    Ok(match &place.world {
        None => Backend::lab(world, pace),
        Some(folder) => Backend::kept_lab(world, folder, absolute(folder)?, pace)?,
    })
}

/// As a path that means the same wherever a run is resumed.
pub fn absolute(folder: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(folder).map_err(|source| Failure::Path {
        path: folder.to_owned(),
        source,
    })?;
    path.into_os_string()
        .into_string()
        .map_err(|path| Failure::Usage(format!("{path:?} is not text")))
}

/// Where the runs of this place are recorded.
pub fn state_of(place: &Place) -> Result<PathBuf, Failure> {
    if place.lab.is_none()
        && place.world.is_none()
        && let Some(path) = place.site.clone().or_else(files::site_file)
    {
        let site = load_site(&path)?;
        if let Some(state) = site.state() {
            return Ok(state);
        }
    }
    files::state()
}

/// The world of this file, or the built-in one.
pub fn world(file: Option<&Path>) -> Result<World, Failure> {
    match file {
        None => World::builtin().map_err(Failure::BuiltinWorld),
        Some(path) => Ok(wreimage_runs::read_world(path)?),
    }
}

/// Reads a site file; what its commands list is kept for `--help` and completion.
pub fn load_site(path: &Path) -> Result<Site, Failure> {
    let site = Site::load(path)?;
    Ok(match files::lists() {
        Some(folder) => site.with_cache(&folder),
        None => site,
    })
}
