//! Reading a guest from a file, or from what a run has kept of it.

use crate::failure::Failure;
use crate::setup::compiler;
use crate::setup::files;
use std::path::Path;
use wreimage_engine::{CompileLimits, Engine, Guest, Plug};
use wreimage_runs::LoadedGuest;

/// Loads a guest by path or name with these components plugged in, with the compilation cache, within the bounds of the site.
pub async fn load_guest(
    name: &str,
    plugs: &[String],
    site: Option<&Path>,
) -> Result<(Engine, LoadedGuest), Failure> {
    let path = files::guest(name)?;
    if plugs.is_empty() {
        return load_guest_file(&path, None, site).await;
    }
    let limits = compiler::limits(site);
    let bytes = composed(&path, plugs, &limits)?;
    let engine = compiler::engine(limits)?;
    let guest = Guest::load(&engine, &bytes)
        .await
        .map_err(|error| Failure::Guest {
            label: format!("{} with {} plugged in", path.display(), plugs.join(", ")),
            source: Box::new(error),
        })?;
    Ok((engine, LoadedGuest { guest, bytes }))
}

/// Loads a guest from this file; `known` is its SHA-256 if a run has recorded it.
pub async fn load_guest_file(
    path: &Path,
    known: Option<&str>,
    site: Option<&Path>,
) -> Result<(Engine, LoadedGuest), Failure> {
    let limits = compiler::limits(site);
    let bytes = files::read_component(path, &limits)?;
    let engine = compiler::engine(limits)?;
    let guest = Guest::load_known(&engine, &bytes, known)
        .await
        .map_err(|error| Failure::Guest {
            label: path.display().to_string(),
            source: Box::new(error),
        })?;
    Ok((engine, LoadedGuest { guest, bytes }))
}

/// A guest with these components plugged in.
fn composed(guest: &Path, plugs: &[String], limits: &CompileLimits) -> Result<Vec<u8>, Failure> {
    let bytes = files::read_component(guest, limits)?;
    let mut components = Vec::new();
    for name in plugs {
        let path = files::plug(name)?;
        components.push((
            path.display().to_string(),
            files::read_component(&path, limits)?,
        ));
    }
    let plugs: Vec<Plug<'_>> = components
        .iter()
        .map(|(label, bytes)| Plug { label, bytes })
        .collect();
    Guest::compose(&bytes, &plugs).map_err(|error| Failure::Guest {
        label: guest.display().to_string(),
        source: Box::new(error),
    })
}
