//! Every function of `wit/` stands in an effect table, with the class that its doc comment says, and nothing else does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::Path;
use wit_parser::{FunctionKind, Resolve, Type, TypeDefKind};
use wreimage_capability::{ALL, Effect};

fn resolve() -> Resolve {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    resolve.push_path(&wit).unwrap();
    resolve
}

/// Full name of each function that a capability has, with its doc comment.
fn functions(resolve: &Resolve) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (_, interface) in resolve.interfaces.iter() {
        let name = interface.name.clone().unwrap();
        // The guest's exports are called by the host, and hooks by the guest; they pass no gate.
        let package = interface
            .package
            .map(|id| resolve.packages[id].name.name.clone());
        if name == "guest" || package.as_deref() == Some("hooks") {
            continue;
        }
        for (function, item) in &interface.functions {
            assert!(
                matches!(item.kind, FunctionKind::Freestanding),
                "{name}.{function} is no plain function"
            );
            found.insert(
                format!("{name}.{function}"),
                item.docs.contents.clone().unwrap_or_default(),
            );
        }
    }
    found
}

#[test]
fn every_function_has_the_effect_class_that_its_comment_says() {
    let resolve = resolve();
    let found = functions(&resolve);
    assert!(found.len() > 30, "{found:?}");
    for (name, docs) in &found {
        let function = wreimage_capability::function(name)
            .unwrap_or_else(|| panic!("{name} stands in no effect table"));
        let said = docs
            .lines()
            .find_map(|line| line.trim().strip_prefix("Effect: "))
            .unwrap_or_else(|| panic!("the comment of {name} has no line `Effect: …`"));
        let word: String = said.chars().take_while(char::is_ascii_alphabetic).collect();
        assert_eq!(word, function.effect.to_string(), "{name}");
        assert!(
            docs.contains("Errors:"),
            "the comment of {name} does not say its errors"
        );
        let blocks = ["Blocks on ", "Blocks until ", "Does not block."]
            .iter()
            .any(|words| docs.contains(words));
        assert!(
            blocks,
            "the comment of {name} does not say what it blocks on"
        );
        if let Some(inverse) = &function.inverse {
            let undone = format!("undone by `{}`", inverse.function);
            assert!(
                docs.contains(&undone),
                "the comment of {name} does not say `{undone}`"
            );
        }
        if function.effect == Effect::Once {
            assert!(
                docs.contains("witness:"),
                "the comment of {name} does not say its witness"
            );
        }
    }
}

#[test]
fn every_entry_of_a_table_stands_in_the_wit() {
    let resolve = resolve();
    let found = functions(&resolve);
    for capability in ALL {
        for function in capability.functions {
            assert!(found.contains_key(&function.to_string()), "{function}");
        }
        let known = resolve
            .interfaces
            .iter()
            .any(|(id, _)| resolve.id_of(id).as_deref() == Some(capability.interface));
        assert!(known, "{} is no interface of wit/", capability.interface);
    }
}

#[test]
fn every_function_answers_with_a_result_that_can_be_a_fault() {
    let resolve = resolve();
    for (_, interface) in resolve.interfaces.iter() {
        // What says only what it is cannot fail.
        if matches!(interface.name.as_deref(), Some("guest" | "plug")) {
            continue;
        }
        for (name, function) in &interface.functions {
            let Some(Type::Id(result)) = function.result else {
                panic!("{name} returns no result")
            };
            let TypeDefKind::Result(result) = &resolve.types[result].kind else {
                panic!("{name} returns no result")
            };
            let Some(Type::Id(error)) = result.err else {
                panic!("{name} has no error")
            };
            assert_eq!(
                resolve.types[error].name.as_deref(),
                Some("fault"),
                "{name}"
            );
        }
    }
}

#[test]
fn only_plain_values_cross_the_border() {
    let resolve = resolve();
    for (_, kind) in resolve.types.iter() {
        let plain = !matches!(
            kind.kind,
            TypeDefKind::Resource
                | TypeDefKind::Handle(_)
                | TypeDefKind::Flags(_)
                | TypeDefKind::Future(_)
                | TypeDefKind::Stream(_)
        );
        assert!(plain, "{:?}", kind.name);
    }
}
