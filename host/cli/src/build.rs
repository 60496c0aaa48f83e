//! `wreimage build`: a guest folder becomes a checked component.

use crate::arguments::Build;
use crate::exit::{Exit, Failure};
use crate::surroundings::engine;
use crate::tell;
use std::path::{Path, PathBuf};
use wreimage_engine::Guest;
use wreimage_kit::{Builder, Built, KitError};

/// Builds it, checks it as `inspect` does, and only then writes the file.
pub async fn build(arguments: &Build) -> Result<Exit, Failure> {
    let built = make(arguments).await?;
    let path = match &arguments.out {
        Some(path) => path.clone(),
        None => arguments.folder.join(format!("{}.wasm", built.name)),
    };
    if wreimage_engine::is_plug(&built.bytes) {
        built
            .write(&path)
            .map_err(|error| Failure::usage(error.to_string()))?;
        tell::line(&format!(
            "{}: a component to plug into a guest ({}), {} bytes; `wreimage inspect reimage --plug {}` checks it",
            path.display(),
            built.language.word(),
            built.bytes.len(),
            with_folder(&path).display()
        ));
        return Ok(Exit::Success);
    }
    let guest = Guest::load(&engine()?, &built.bytes)
        .await
        .map_err(|error| {
            Failure::refused(format!(
                "{} was built, but cannot be used: {error}. {} was not written",
                built.name,
                path.display()
            ))
        })?;
    built
        .write(&path)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let description = guest.description();
    tell::line(&format!(
        "{}: {} {} ({}), {} bytes",
        path.display(),
        tell::one_line(&description.name),
        tell::one_line(&description.version),
        built.language.word(),
        guest.size()
    ));
    tell::line(&format!(
        "`wreimage inspect {}` shows what it can call",
        with_folder(&path).display()
    ));
    Ok(Exit::Success)
}

/// Ctrl-C stops what is being built.
async fn make(arguments: &Build) -> Result<Built, Failure> {
    let builder = Builder::new(arguments.timeout);
    let stop = builder.stop.clone();
    let folder = arguments.folder.clone();
    let mut making = tokio::task::spawn_blocking(move || builder.build(&folder));
    let made = tokio::select! {
        made = &mut making => made,
        _ = tokio::signal::ctrl_c() => {
            stop.now();
            making.await
        }
    };
    match made {
        Ok(Ok(built)) => Ok(built),
        Ok(Err(error @ KitError::Stopped)) => Err(Failure::cancelled(error.to_string())),
        Ok(Err(error)) => Err(Failure::usage(error.to_string())),
        Err(error) => Err(Failure::internal(error.to_string())),
    }
}

/// A bare file name would be taken for the name of an installed guest.
fn with_folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new(".").join(path),
        _ => path.to_owned(),
    }
}
