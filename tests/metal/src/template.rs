//! The files of `templates/`, and the filling of their `{{names}}`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The text of a template of this crate.
macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("../templates/", $name))
    };
}
pub(crate) use template;

/// The template with every `{{name}}` replaced.
///
/// # Errors
///
/// A name of the template has no value.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    if let Some((_, rest)) = text.split_once("{{") {
        let name = rest.split("}}").next().unwrap_or(rest);
        bail!("a template of the rig has no value for {name:?}");
    }
    Ok(text)
}

/// Writes a file with exactly this mode.
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot set the mode of {}", path.display()))
}

/// Makes a directory with its parents and gives its path back.
pub(crate) fn directory(path: impl AsRef<Path>) -> Result<std::path::PathBuf> {
    let path = path.as_ref();
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(path.to_owned())
}

/// A path as text; the rig writes paths into configuration files.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}
