//! `wreimage compose`: a guest and components of a site, joined into one file.

use crate::arguments::Compose;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::load_guest::load_guest;
use crate::tell;
use std::path::{Path, PathBuf};
use wreimage_engine::{CompileLimits, Guest, Plug};
use wreimage_kit::write_whole;

/// Writes the file.
pub async fn compose(arguments: &Compose) -> Result<Exit, Failure> {
    let (_, loaded) = load_guest(&arguments.guest, &arguments.plug, None).await?;
    let path = match &arguments.out {
        Some(path) => path.clone(),
        None => default_path(&arguments.guest, &arguments.plug),
    };
    write_whole(&path, &loaded.bytes).map_err(|source| Failure::File {
        path: path.clone(),
        what: "written",
        source,
    })?;
    tell::line(&format!(
        "{}: {}, sha256 {}; `wreimage inspect` shows what each part can call",
        path.display(),
        tell::one_line(&what(&loaded.guest)),
        loaded.guest.digest()
    ));
    tell::own(&format!("{}\n", path.display()))?;
    Ok(Exit::Success)
}

/// A guest with these components plugged in.
pub fn composed(
    guest: &Path,
    plugs: &[String],
    limits: &CompileLimits,
) -> Result<Vec<u8>, Failure> {
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

/// `reimage 0.1.0 with site-checks 0.1.0`.
pub fn what(guest: &Guest) -> String {
    let description = guest.description();
    let mut text = format!("{} {}", description.name, description.version);
    for (index, plug) in guest.plugs().iter().enumerate() {
        let word = if index == 0 { " with " } else { ", " };
        let plug = &plug.description;
        text.push_str(&format!("{word}{} {}", plug.name, plug.version));
    }
    text
}

/// The names of all, in the current folder.
fn default_path(guest: &str, plugs: &[String]) -> PathBuf {
    let stem = |name: &str| {
        let stem = Path::new(name).file_stem();
        stem.map_or_else(
            || name.to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        )
    };
    let names: Vec<String> = std::iter::once(guest)
        .chain(plugs.iter().map(String::as_str))
        .map(stem)
        .collect();
    PathBuf::from(format!("{}.wasm", names.join("+")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_the_names_of_all() {
        assert_eq!(
            default_path(
                "guests/reimage.wasm",
                &["a/site-checks.wasm".to_owned(), "b".to_owned()]
            ),
            Path::new("reimage+site-checks+b.wasm")
        );
    }
}
