//! Reading a guest from a file, or from what a run has kept of it.

use crate::compiler;
use crate::compose;
use crate::failure::Failure;
use crate::files;
use std::path::Path;
use wreimage_engine::{Engine, Guest};

/// Loads a guest by path or name with these components plugged in, with the compilation cache, within the bounds of the site.
pub async fn load_guest(
    name: &str,
    plugs: &[String],
    site: Option<&Path>,
) -> Result<(Engine, Guest, Vec<u8>), Failure> {
    let path = files::guest(name)?;
    if plugs.is_empty() {
        return load_guest_file(&path, None, site).await;
    }
    let limits = compiler::limits(site);
    let bytes = compose::composed(&path, plugs, &limits)?;
    let engine = compiler::engine(limits)?;
    let guest = Guest::load(&engine, &bytes)
        .await
        .map_err(|error| Failure::Guest {
            label: format!("{} with {} plugged in", path.display(), plugs.join(", ")),
            source: Box::new(error),
        })?;
    Ok((engine, guest, bytes))
}

/// Loads a guest from this file; `known` is its SHA-256 if a run has recorded it.
pub async fn load_guest_file(
    path: &Path,
    known: Option<&str>,
    site: Option<&Path>,
) -> Result<(Engine, Guest, Vec<u8>), Failure> {
    let limits = compiler::limits(site);
    let bytes = files::read_component(path, &limits)?;
    let engine = compiler::engine(limits)?;
    let guest = Guest::load_known(&engine, &bytes, known)
        .await
        .map_err(|error| Failure::Guest {
            label: path.display().to_string(),
            source: Box::new(error),
        })?;
    Ok((engine, guest, bytes))
}

/// Loads the guest with this SHA-256 that a run or a batch has kept in the state folder. Others can write there: it must be that.
pub async fn load_pinned(
    state: &Path,
    digest: &str,
    site: Option<&Path>,
) -> Result<(Engine, Guest, Vec<u8>), Failure> {
    let engine = compiler::engine(compiler::limits(site))?;
    let (guest, bytes) = wreimage_runs::load_pinned(&engine, state, digest).await?;
    Ok((engine, guest, bytes))
}
