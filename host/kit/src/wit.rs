//! The WIT of a guest: its own world, and the packages of the host.

use crate::KitError;
use crate::files::{File, WIT};
use std::path::Path;
use wit_parser::Resolve;

/// Where a package of the host lies among the dependencies of a guest.
fn below_deps(path: &str) -> String {
    match path.strip_prefix("deps/") {
        Some(path) => path.to_owned(),
        None => format!("guest/{path}"),
    }
}

/// The folder of a package among the dependencies.
fn package(path: &str) -> &str {
    path.strip_prefix("deps/")
        .and_then(|path| path.split('/').next())
        .unwrap_or("guest")
}

/// The text of each package of the host.
pub fn texts() -> impl Iterator<Item = &'static str> {
    WIT.iter().map(|(_, text)| *text)
}

/// The host's packages as the dependencies of a guest's own package.
pub(crate) fn dependencies() -> impl Iterator<Item = (String, &'static str)> {
    WIT.iter()
        .map(|(path, text): &File| (format!("wit/deps/{}", below_deps(path)), *text))
}

/// The host's packages as they lie in its repository, for guests whose world is the whole of it.
pub(crate) fn whole() -> impl Iterator<Item = (String, &'static str)> {
    WIT.iter()
        .map(|(path, text)| (format!("wit/{path}"), *text))
}

/// Lays the WIT of a guest folder into `into`: its own package, and of the host's those that it does not bring along. Returns
/// the name of its world.
pub(crate) fn stage(guest: &Path, into: &Path) -> Result<String, KitError> {
    let own = guest.join("wit");
    if !own.is_dir() {
        return Err(KitError::Wrong(format!(
            "{} has no folder `wit` with the guest's world; `wreimage new` makes one",
            guest.display()
        )));
    }
    copy(&own, into)?;
    let deps = into.join("deps");
    // A package that the guest brings along is the one that it was written for.
    let brought: Vec<&str> = WIT
        .iter()
        .map(|(path, _)| package(path))
        .filter(|package| deps.join(package).is_dir())
        .collect();
    for (path, text) in WIT {
        if brought.contains(&package(path)) {
            continue;
        }
        let path = deps.join(below_deps(path));
        let folder = path.parent().unwrap_or(&deps);
        std::fs::create_dir_all(folder).map_err(KitError::file(folder))?;
        std::fs::write(&path, text).map_err(KitError::file(&path))?;
    }
    world(into, guest)
}

/// The one world of the guest's own package.
fn world(staged: &Path, guest: &Path) -> Result<String, KitError> {
    let wrong = |why: String| {
        KitError::Wrong(format!(
            "the WIT of {} is wrong: {why}",
            guest.join("wit").display()
        ))
    };
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(staged).map_err(|error| {
        wrong(format!("{error:#}").replace(&staged.display().to_string(), "wit"))
    })?;
    let world = resolve
        .select_world(&[package], None)
        .map_err(|error| wrong(format!("{error:#}")))?;
    let world = resolve
        .worlds
        .get(world)
        .ok_or_else(|| wrong("it has no world".to_owned()))?;
    let exports = world.exports.keys().map(|key| resolve.name_world_key(key));
    let exports: Vec<String> = exports.collect();
    let is_usable = |name: &String| {
        name.starts_with("wreimage:guest/guest@") || name.starts_with("wreimage:hooks/plug@")
    };
    if !exports.iter().any(is_usable) {
        return Err(wrong(format!(
            "its world `{}` does not `export wreimage:guest/guest@0.1.0;`, so that it would be no guest, nor \
             `export wreimage:hooks/plug@0.1.0;`, so that it could not be plugged into one",
            world.name
        )));
    }
    Ok(world.name.clone())
}

/// Copies the `.wit` files of a folder and of those in it.
fn copy(from: &Path, to: &Path) -> Result<(), KitError> {
    std::fs::create_dir_all(to).map_err(KitError::file(to))?;
    for entry in std::fs::read_dir(from).map_err(KitError::file(from))? {
        let path = entry.map_err(KitError::file(from))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let target = to.join(name);
        if path.is_dir() {
            copy(&path, &target)?;
        } else if path.extension().is_some_and(|it| it == "wit") {
            std::fs::copy(&path, &target).map_err(KitError::file(&path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::stage;
    use std::path::Path;

    const WORLD: &str = "package a:b; world c { import wreimage:ipmi/ipmi@0.1.0; export wreimage:guest/guest@0.1.0; }";

    fn guest(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join("wit").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn staged(guest: &Path) -> (tempfile::TempDir, Result<String, crate::KitError>) {
        let into = tempfile::tempdir().unwrap();
        let world = stage(guest, &into.path().join("wit"));
        (into, world)
    }

    #[test]
    fn the_packages_of_the_host_are_added() {
        let guest = guest(&[("world.wit", WORLD)]);
        let (into, world) = staged(guest.path());
        assert_eq!(world.unwrap(), "c");
        assert!(into.path().join("wit/deps/guest/world.wit").is_file());
    }

    #[test]
    fn a_package_that_the_guest_brings_along_stays() {
        let own = "package wreimage:dns@0.1.0; interface dns {}";
        let guest = guest(&[("world.wit", WORLD), ("deps/dns/own.wit", own)]);
        let (into, _) = staged(guest.path());
        let files = std::fs::read_dir(into.path().join("wit/deps/dns")).unwrap();
        assert_eq!(files.count(), 1);
    }

    #[test]
    fn what_is_wrong_with_the_wit_is_told() {
        let told = |files: &[(&str, &str)]| staged(guest(files).path()).1.unwrap_err().to_string();
        let none = tempfile::tempdir().unwrap();
        let (_, nothing) = staged(none.path());
        assert!(nothing.unwrap_err().to_string().contains("no folder `wit`"));
        assert!(told(&[("world.wit", "package a:b; world c {")]).contains("wrong"));
        let no_guest = told(&[("world.wit", "package a:b; world c {}")]);
        assert!(
            no_guest.contains("export wreimage:guest/guest@0.1.0"),
            "{no_guest}"
        );
        let unknown = "package a:b; world c { import wreimage:toaster/toaster@0.1.0; }";
        assert!(told(&[("world.wit", unknown)]).contains("toaster"));
    }
}
