//! Published packages do not change: a guest that was built for one runs on every later host. Compatible are new functions and
//! new interfaces; everything else is a new version beside the old one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::Path;
use wit_parser::{Function, Interface, Resolve, Type, TypeDefKind, TypeOwner, WorldItem};

fn resolve(folder: &str) -> Resolve {
    let mut resolve = Resolve::default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    resolve.push_path(root.join(folder)).unwrap();
    resolve
}

/// A type as it stands in a signature: a named one by its full name.
fn shown(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else {
        return format!("{ty:?}").to_lowercase();
    };
    let def = &resolve.types[*id];
    match (&def.name, &def.kind) {
        (Some(_), TypeDefKind::Type(Type::Id(original))) => shown(resolve, &Type::Id(*original)),
        (Some(name), _) => match def.owner {
            TypeOwner::Interface(interface) => {
                format!("{}.{name}", resolve.id_of(interface).unwrap())
            }
            _ => name.clone(),
        },
        (None, kind) => defined(resolve, kind),
    }
}

/// What a type is made of.
fn defined(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let of = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), |ty| shown(resolve, ty));
    let all = |parts: Vec<String>| parts.join(", ");
    match kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            let fields = fields.map(|it| format!("{}: {}", it.name, shown(resolve, &it.ty)));
            format!("record {{ {} }}", all(fields.collect()))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter();
            let cases = cases.map(|it| format!("{}({})", it.name, of(&it.ty)));
            format!("variant {{ {} }}", all(cases.collect()))
        }
        TypeDefKind::Enum(it) => {
            format!(
                "enum {{ {} }}",
                all(it.cases.iter().map(|it| it.name.clone()).collect())
            )
        }
        TypeDefKind::Tuple(it) => {
            format!(
                "tuple<{}>",
                all(it.types.iter().map(|it| shown(resolve, it)).collect())
            )
        }
        TypeDefKind::List(ty) => format!("list<{}>", shown(resolve, ty)),
        TypeDefKind::Option(ty) => format!("option<{}>", shown(resolve, ty)),
        TypeDefKind::Result(it) => format!("result<{}, {}>", of(&it.ok), of(&it.err)),
        TypeDefKind::Type(ty) => shown(resolve, ty),
        other => panic!("{other:?} is no plain value"),
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let params = function.params.iter();
    let params: Vec<String> = params
        .map(|it| format!("{}: {}", it.name, shown(resolve, &it.ty)))
        .collect();
    let result = function
        .result
        .as_ref()
        .map_or(String::new(), |ty| format!(" -> {}", shown(resolve, ty)));
    format!("func({}){result}", params.join(", "))
}

fn items(
    resolve: &Resolve,
    prefix: &str,
    interface: &Interface,
    into: &mut BTreeMap<String, String>,
) {
    for (name, function) in &interface.functions {
        into.insert(format!("{prefix}.{name}"), signature(resolve, function));
    }
    for (name, id) in &interface.types {
        let def = &resolve.types[*id];
        into.insert(format!("{prefix}.{name}"), defined(resolve, &def.kind));
    }
}

/// Every function and type of every package by its full name, with what it is.
fn all(resolve: &Resolve) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (id, interface) in resolve.interfaces.iter() {
        if let Some(name) = resolve.id_of(id) {
            items(resolve, &name, interface, &mut found);
        }
    }
    for (_, world) in resolve.worlds.iter() {
        for (name, export) in &world.exports {
            let name = resolve.name_world_key(name);
            let text = match export {
                WorldItem::Function(function) => signature(resolve, function),
                _ => "interface".to_owned(),
            };
            found.insert(format!("world {} exports {name}", world.name), text);
        }
    }
    found
}

/// What differs for a guest that was built for the published packages.
fn differences(
    published: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Vec<String> {
    let gone = "it is gone".to_owned();
    published
        .iter()
        .filter(|(name, was)| now.get(*name) != Some(was))
        .map(|(name, was)| {
            format!(
                "{name}: was `{was}`, is `{}`",
                now.get(name).unwrap_or(&gone)
            )
        })
        .collect()
}

#[test]
fn what_is_published_stays_as_it_is() {
    let published = all(&resolve("wit/frozen"));
    assert!(published.len() > 150, "{}", published.len());
    let changed = differences(&published, &all(&resolve("wit")));
    assert!(
        changed.is_empty(),
        "a published package has changed: give the change a new version beside the old one.\n{}",
        changed.join("\n")
    );
}

#[test]
fn an_addition_is_no_difference_and_a_change_is_one() {
    let parse = |text: &str| {
        let mut resolve = Resolve::default();
        resolve.push_str("x.wit", text).unwrap();
        all(&resolve)
    };
    let published =
        parse("package a:b@0.1.0; interface i { record r { x: u8 } f: func(r: r) -> u8; }");
    for (now, is_same) in [
        (
            "package a:b@0.1.0; interface i { record r { x: u8 } f: func(r: r) -> u8; g: func(); } interface j {}",
            true,
        ),
        (
            "package a:b@0.1.0; interface i { record r { x: u8, y: u8 } f: func(r: r) -> u8; }",
            false,
        ),
        (
            "package a:b@0.1.0; interface i { record r { x: u8 } f: func(s: r) -> u8; }",
            false,
        ),
        (
            "package a:b@0.1.0; interface i { record r { x: u8 } f: func(r: r) -> u16; }",
            false,
        ),
        (
            "package a:b@0.1.0; interface i { record r { x: u8 } }",
            false,
        ),
        (
            "package a:b@0.2.0; interface i { record r { x: u8 } f: func(r: r) -> u8; }",
            false,
        ),
    ] {
        assert_eq!(
            differences(&published, &parse(now)).is_empty(),
            is_same,
            "{now}"
        );
    }
}
