//! `wreimage compose`: a guest and components of a site, joined into one file.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use crate::setup::load_guest::load_guest;
use clap::Args;
use std::path::{Path, PathBuf};
use wreimage_engine::Guest;
use wreimage_kit::write_whole;

/// `wreimage compose`.
#[derive(Debug, Args)]
pub struct Compose {
    /// The guest: a path or a name, as for `run`
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// The component to plug in, by path or name; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub plug: Vec<String>,
    /// The file to write; without it the names of all, such as reimage+site-checks.wasm, in the current folder
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

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
    print::line(&format!(
        "{}: {}, sha256 {}; `wreimage inspect` shows what each part can call",
        path.display(),
        print::one_line(&what(&loaded.guest)),
        loaded.guest.digest()
    ));
    print::own(&format!("{}\n", path.display()))?;
    Ok(Exit::Success)
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
