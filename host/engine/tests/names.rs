//! The engine knows no capability: neither it nor its tests name one that a provider serves.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use wreimage_capability::{ALL, Server};

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            into.push(path);
        }
    }
}

/// How source names a capability: its module, its interface, its name, and the full name of a function.
fn named(text: &str) -> Vec<String> {
    let served = ALL.iter().filter(|it| it.server == Server::Provider);
    served
        .flat_map(|it| {
            let name = it.name;
            let module = name.replace('-', "_");
            [
                format!("{module}::"),
                format!("wreimage:{name}/"),
                format!("\"{name}\""),
                format!("\"{name}."),
                format!("`{name}."),
            ]
        })
        .filter(|name| text.contains(name.as_str()))
        .collect()
}

#[test]
fn no_capability_that_a_provider_serves_is_named_in_the_engine() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = vec![
        host.join("capability/src/facts.rs"),
        host.join("capability/src/role.rs"),
    ];
    sources(&host.join("engine/src"), &mut files);
    assert!(files.len() > 40, "{files:?}");
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let names = named(&fs::read_to_string(file).unwrap());
            names
                .into_iter()
                .map(|name| format!("{}: {name}", file.display()))
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_name_in_the_source_is_found() {
    assert_eq!(named("(\"ipmi\", \"set-power\")"), ["\"ipmi\""]);
    assert_eq!(named("puppet_ca::functions::sign"), ["puppet_ca::"]);
    assert_eq!(
        named("outcome.function == \"remote.reboot\""),
        ["\"remote."]
    );
    assert!(named("the remote system").is_empty());
}
