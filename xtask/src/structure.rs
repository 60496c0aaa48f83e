//! The structure of the source: modules without circles, and files that one can read in one go.

use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crates whose modules must not use each other in a circle.
const WITHOUT_CIRCLES: [&str; 6] = [
    "host/engine",
    "host/capability",
    "host/live",
    "host/site",
    "host/runs",
    "host/cli",
];

/// The most lines of a file of code; tests may be longer.
const LINES: usize = 400;

/// A module by its path in the crate, without the crate's own name.
type Module = Vec<String>;

/// The modules of a crate with their source, but for the modules of its tests.
fn modules(source: &Path) -> Result<BTreeMap<Module, String>> {
    let mut found = BTreeMap::new();
    for file in rust_files(source)? {
        let path = file.strip_prefix(source)?.with_extension("");
        let mut module: Module = path
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if module.iter().any(|part| part.ends_with("tests")) {
            continue;
        }
        if matches!(
            module.last().map(String::as_str),
            Some("mod" | "lib" | "main")
        ) {
            module.pop();
        }
        found.insert(module, code(&fs::read_to_string(&file)?));
    }
    Ok(found)
}

/// Source without comments and without the module of its tests.
fn code(source: &str) -> String {
    let source = source
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default();
    let lines = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The paths that source names, from `crate` or `super` on; of a group in braces, one for each first name.
fn paths(source: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in source.match_indices(start) {
            let before = source.get(..at).and_then(|it| it.chars().next_back());
            if before.is_some_and(|it| it.is_alphanumeric() || it == '_' || it == ':') {
                continue;
            }
            let rest = source.get(at..).unwrap_or_default();
            let end = rest
                .find(|it: char| !(it.is_alphanumeric() || it == '_' || it == ':'))
                .unwrap_or(rest.len());
            let (path, after) = rest.split_at(end);
            let names: Vec<String> = path
                .split("::")
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
            let group = after
                .strip_prefix('{')
                .and_then(|it| it.split('}').next())
                .filter(|_| path.ends_with("::"));
            for name in group.into_iter().flat_map(|it| it.split(',')) {
                let mut whole = names.clone();
                whole.extend(name.trim().split("::").map(str::to_owned));
                found.push(whole);
            }
            found.push(names);
        }
    }
    found
}

/// The module that a path names from a module: the longest part of it that is one.
fn resolved(path: &[String], from: &Module, all: &BTreeMap<Module, String>) -> Module {
    let mut module = match path.first().map(String::as_str) {
        Some("crate") => Module::new(),
        _ => from
            .iter()
            .take(from.len().saturating_sub(1))
            .cloned()
            .collect(),
    };
    for name in path.iter().skip(1) {
        if name == "super" {
            module.pop();
            continue;
        }
        module.push(name.clone());
        if !all.contains_key(&module) {
            module.pop();
            break;
        }
    }
    module
}

/// Modules that use each other in a circle, each circle once.
fn circles(all: &BTreeMap<Module, String>) -> Vec<Vec<String>> {
    let uses: BTreeMap<&Module, BTreeSet<Module>> = all
        .iter()
        .map(|(module, source)| {
            let used = paths(source)
                .iter()
                .map(|path| resolved(path, module, all))
                .filter(|used| used != module && !used.is_empty())
                .collect();
            (module, used)
        })
        .collect();
    let reach = |from: &Module| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from.clone()];
        while let Some(module) = next.pop() {
            for used in uses.get(&module).into_iter().flatten() {
                if seen.insert(used.clone()) {
                    next.push(used.clone());
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&Module, BTreeSet<Module>> =
        all.keys().map(|module| (module, reach(module))).collect();
    let mut found = BTreeSet::new();
    for (module, there) in &reached {
        if there.contains(*module) {
            let circle = there
                .iter()
                .filter(|other| {
                    reached
                        .get(other)
                        .is_some_and(|back| back.contains(*module))
                })
                .map(|it| it.join("::"))
                .collect::<Vec<_>>();
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// Files of code that are too long.
fn too_long(source: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in rust_files(source)? {
        let is_test = file.iter().any(|part| {
            let part = part.to_string_lossy();
            part.trim_end_matches(".rs").ends_with("tests")
        });
        let lines = fs::read_to_string(&file)?.lines().count();
        if lines > LINES && !is_test {
            found.push(format!("{}: {lines} lines", file.display()));
        }
    }
    Ok(found)
}

/// Checks the crates of this repository.
///
/// # Errors
/// Circles of modules, and files that are too long.
pub fn check(root: &Path) -> Result<()> {
    for name in WITHOUT_CIRCLES {
        let source = root.join(name).join("src");
        let circles = circles(&modules(&source)?);
        ensure!(
            circles.is_empty(),
            "modules of {name} use each other in a circle: {circles:?}"
        );
        let long = too_long(&source)?;
        ensure!(long.is_empty(), "longer than {LINES} lines: {long:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(files: &[(&str, &str)]) -> BTreeMap<Module, String> {
        let module = |path: &str| path.split("::").map(str::to_owned).collect();
        files
            .iter()
            .map(|(path, source)| (module(path), code(source)))
            .collect()
    }

    #[test]
    fn the_repository_is_in_order() {
        check(crate::repository::root()).unwrap();
    }

    #[test]
    fn a_circle_is_found_however_it_is_written() {
        let one_way = [
            ("gate", "use crate::run::Run;"),
            ("run", "// crate::gate\nfn f() {}"),
        ];
        assert!(circles(&all(&one_way)).is_empty());
        for back in [
            "use crate::gate::Gate;",
            "use crate::{gate, other};",
            "fn f() { crate::gate::f() }",
            "use super::gate;",
        ] {
            let files = [("gate", "use crate::run::Run;"), ("run", back)];
            assert_eq!(circles(&all(&files)), [["gate", "run"]], "{back}");
        }
        let through_three = [
            ("a::b", "use crate::c::C;"),
            ("a", ""),
            ("c", "use crate::d;"),
            ("d", "use crate::a::b::X;"),
        ];
        assert_eq!(circles(&all(&through_three)), [["a::b", "c", "d"]]);
    }
}
