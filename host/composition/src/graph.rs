//! The composition graph.

use crate::Plug;
use crate::error::ComposeError;
use crate::interface::{DESCRIBE, described, is_hook, is_wasi, own_name, plugged};
use crate::part::{self, Composition, Part, Role, SECTION};
use crate::quiet;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use wac_graph::types::{ItemKind, Package, Types, WorldId};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// What a guest exports.
const GUEST: &str = "wreimage:guest/guest";

/// Joins the parts, and these components as well.
pub(crate) fn encode(parts: &Composition<'_>, plugs: &[Plug<'_>]) -> Result<Vec<u8>, ComposeError> {
    // The library panics on some components that contradict themselves, and files come from outside.
    quiet::catch(AssertUnwindSafe(|| join(parts, plugs))).unwrap_or_else(|| {
        Err(ComposeError::Unreadable(
            "its components contradict each other".to_owned(),
        ))
    })
}

/// A component in the graph.
struct Placed {
    label: String,
    package: PackageId,
    world: WorldId,
    /// How its hooks are exported.
    exports: Vec<String>,
}

fn join(parts: &Composition<'_>, plugs: &[Plug<'_>]) -> Result<Vec<u8>, ComposeError> {
    let mut graph = CompositionGraph::new();
    let mut all: Vec<Part<'_>> = Vec::new();
    let core = place(&mut graph, "the guest", "core", parts.core.bytes)?;
    has_no_names_of_plugs(&graph, &core)?;
    let hooks = hooks(&graph, &core);
    if hooks.is_empty() {
        return Err(ComposeError::NoHooks);
    }
    let defaults = match &parts.defaults {
        Some(part) => {
            let placed = place(&mut graph, "the guest's defaults", "defaults", part.bytes)?;
            has_no_names_of_plugs(&graph, &placed)?;
            all.push(part.clone());
            Some(placed)
        }
        None => None,
    };
    let mut placed = Vec::new();
    let there = parts.plugs.iter().enumerate().map(|(index, part)| {
        let label = format!("component {} that is plugged in already", index + 1);
        (label, part.bytes)
    });
    let new = plugs.iter().map(|plug| (plug.label.to_owned(), plug.bytes));
    for (index, (label, bytes)) in there.chain(new).enumerate() {
        let plug = place(&mut graph, &label, &format!("plug{}", index + 1), bytes)?;
        fits(&graph, &plug, &hooks)?;
        all.push(Part::new(Role::Plug, bytes));
        placed.push(plug);
    }
    all.push(parts.core.clone());
    let served = serving(&placed, &hooks)?;

    // In this order they lie in the file.
    let defaults = defaults.map(|it| (graph.instantiate(it.package), it));
    let mut instances = Vec::new();
    for (index, plug) in placed.iter().enumerate() {
        instances.push(instantiate(&mut graph, plug, index + 1)?);
    }
    let guest = graph.instantiate(core.package);
    for hook in &hooks {
        let (from, export, label) = match served.get(hook.as_str()) {
            Some((index, export)) => {
                let instance = instances.get(*index).copied();
                let label = placed.get(*index).map_or("", |it| it.label.as_str());
                (instance, export.as_str(), label)
            }
            None => {
                let by_default = defaults.as_ref().and_then(|(instance, it)| {
                    let export = it.exports.iter().find(|export| matches(export, hook))?;
                    Some((*instance, export.as_str(), it.label.as_str()))
                });
                let Some((instance, export, label)) = by_default else {
                    return Err(ComposeError::Open(hook.clone()));
                };
                (Some(instance), export, label)
            }
        };
        let misfit = |why: String| ComposeError::Types(label.to_owned(), why);
        let from = from.ok_or_else(|| misfit("it is not there".to_owned()))?;
        graph
            .alias_instance_export(from, export)
            .map_err(|error| misfit(chain(&error)))
            .and_then(|alias| {
                graph
                    .set_instantiation_argument(guest, hook, alias)
                    .map_err(|error| misfit(chain(&error)))
            })?;
    }
    for export in exports(graph.types(), core.world) {
        pass_on(&mut graph, guest, &export, &export)?;
    }
    for (index, instance) in instances.iter().enumerate() {
        pass_on(&mut graph, *instance, DESCRIBE, &described(index + 1))?;
    }

    let options = EncodeOptions {
        define_components: true,
        // The engine validates what it compiles.
        validate: false,
        processor: None,
    };
    let mut bytes = graph.encode(options).map_err(|error| {
        ComposeError::Types("a component that is plugged in".to_owned(), chain(&error))
    })?;
    let all: Vec<&Part<'_>> = all.iter().collect();
    let text = part::section(&bytes, &all)?;
    append(&mut bytes, text.as_bytes());
    Ok(bytes)
}

fn place(
    graph: &mut CompositionGraph,
    label: &str,
    name: &str,
    bytes: &[u8],
) -> Result<Placed, ComposeError> {
    let failed = |why: String| ComposeError::NoComponent(label.to_owned(), why);
    let package = Package::from_bytes(name, None, bytes.to_vec(), graph.types_mut())
        .map_err(|error| failed(format!("{error:#}")))?;
    let world = package.ty();
    let package = graph
        .register_package(package)
        .map_err(|error| failed(error.to_string()))?;
    let exports = exports(graph.types(), world);
    Ok(Placed {
        label: label.to_owned(),
        package,
        world,
        exports,
    })
}

/// The hooks of the guest: what it imports of packages that are called so, and calls.
fn hooks(graph: &CompositionGraph, core: &Placed) -> Vec<String> {
    let types = graph.types();
    types[core.world]
        .imports
        .iter()
        .filter(|(name, kind)| is_hook(name) && has_functions(types, **kind))
        .map(|(name, _)| name.clone())
        .collect()
}

fn has_functions(types: &Types, kind: ItemKind) -> bool {
    match kind {
        ItemKind::Instance(interface) => types[interface]
            .exports
            .values()
            .any(|item| matches!(item, ItemKind::Func(_))),
        _ => true,
    }
}

/// An import by the name of a component that is plugged in would be that component's call, with its grants. A name in another
/// version is merged with it, so each such name is refused.
fn has_no_names_of_plugs(graph: &CompositionGraph, part: &Placed) -> Result<(), ComposeError> {
    let types = graph.types();
    match types[part.world]
        .imports
        .keys()
        .find(|it| plugged(it).is_some())
    {
        None => Ok(()),
        Some(import) => Err(ComposeError::Foreign {
            part: part.label.clone(),
            import: import.clone(),
        }),
    }
}

/// Whether a component can be plugged in: it says what it is, and all its hooks are hooks of the guest.
fn fits(graph: &CompositionGraph, plug: &Placed, hooks: &[String]) -> Result<(), ComposeError> {
    let label = || plug.label.clone();
    if plug.exports.iter().any(|it| it.starts_with(GUEST)) {
        return Err(ComposeError::IsGuest(label()));
    }
    let types = graph.types();
    let exported: Vec<&String> = types[plug.world]
        .exports
        .iter()
        .filter(|(name, kind)| is_hook(name) && *name != DESCRIBE && has_functions(types, **kind))
        .map(|(name, _)| name)
        .collect();
    let all = || hooks.join(", ");
    if exported.is_empty() {
        return Err(ComposeError::NoneOfTheHooks {
            plug: label(),
            exports: match plug.exports.as_slice() {
                [] => "nothing".to_owned(),
                exports => exports.join(", "),
            },
            hooks: all(),
        });
    }
    let all_hooks = hooks.iter().map(String::as_str).chain([DESCRIBE]);
    for wants in all_hooks {
        let path = |name: &str| name.split('@').next().map(str::to_owned);
        let same = |export: &&&String| path(export) == path(wants);
        if let Some(export) = exported.iter().find(same)
            && !matches(export, wants)
        {
            return Err(ComposeError::Version {
                plug: label(),
                export: (**export).clone(),
                wants: wants.to_owned(),
            });
        }
    }
    let unknown = exported
        .iter()
        .find(|export| !hooks.iter().any(|hook| matches(export, hook)));
    if let Some(export) = unknown {
        return Err(ComposeError::UnknownHook {
            plug: label(),
            export: (**export).clone(),
            hooks: all(),
        });
    }
    if !plug.exports.iter().any(|it| it == DESCRIBE) {
        return Err(ComposeError::Nameless(label()));
    }
    for (import, kind) in &types[plug.world].imports {
        let known = own_name(1, import).is_some()
            || is_wasi(import)
            || (import.starts_with("wreimage:") && !has_functions(types, *kind));
        if !known {
            return Err(ComposeError::Import {
                plug: label(),
                import: import.clone(),
            });
        }
    }
    Ok(())
}

/// Which plug serves a hook, by its place, and under which name.
fn serving<'a>(
    plugs: &'a [Placed],
    hooks: &'a [String],
) -> Result<BTreeMap<&'a str, (usize, String)>, ComposeError> {
    let mut serving = BTreeMap::new();
    for hook in hooks {
        let mut found = plugs.iter().enumerate().filter_map(|(index, plug)| {
            let export = plug.exports.iter().find(|export| matches(export, hook))?;
            Some((index, plug, export))
        });
        let Some((index, first, export)) = found.next() else {
            continue;
        };
        if let Some((_, second, _)) = found.next() {
            return Err(ComposeError::Twice {
                hook: hook.clone(),
                first: first.label.clone(),
                second: second.label.clone(),
            });
        }
        serving.insert(hook.as_str(), (index, export.clone()));
    }
    Ok(serving)
}

/// An instance of a plug whose imports have names of their own.
fn instantiate(
    graph: &mut CompositionGraph,
    plug: &Placed,
    number: usize,
) -> Result<NodeId, ComposeError> {
    let misfit = |why: String| ComposeError::Types(plug.label.clone(), why);
    let instance = graph.instantiate(plug.package);
    let imports: Vec<(String, ItemKind)> = graph.types()[plug.world]
        .imports
        .iter()
        .map(|(name, kind)| (name.clone(), *kind))
        .collect();
    for (import, kind) in imports {
        let Some(own) = own_name(number, &import) else {
            continue;
        };
        // Interfaces of one id are encoded once; this one is to be another.
        if let ItemKind::Instance(interface) = kind {
            graph.types_mut()[interface].id = Some(own.clone());
        }
        graph
            .import(own, kind)
            .map_err(|error| misfit(chain(&error)))
            .and_then(|node| {
                graph
                    .set_instantiation_argument(instance, &import, node)
                    .map_err(|error| misfit(chain(&error)))
            })?;
    }
    Ok(instance)
}

/// Exports what an instance exports.
fn pass_on(
    graph: &mut CompositionGraph,
    instance: NodeId,
    export: &str,
    name: &str,
) -> Result<(), ComposeError> {
    let failed = |why: String| ComposeError::Types(format!("the export `{name}`"), why);
    let alias = graph
        .alias_instance_export(instance, export)
        .map_err(|error| failed(chain(&error)))?;
    graph
        .export(alias, name)
        .map_err(|error| failed(chain(&error)))
}

/// Whether an export serves an import: the same interface, in versions that are compatible by the rules of Cargo.
fn matches(export: &str, import: &str) -> bool {
    fn key(name: &str) -> Option<(&str, (u64, u64))> {
        let (path, version) = name.split_once('@')?;
        let mut numbers = version.split(['.', '-', '+']).map(str::parse::<u64>);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some((path, (major, if major == 0 { minor } else { 0 })))
    }
    export == import || (key(export).is_some() && key(export) == key(import))
}

fn exports(types: &Types, world: WorldId) -> Vec<String> {
    types[world].exports.keys().cloned().collect()
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Appends the custom section.
fn append(bytes: &mut Vec<u8>, data: &[u8]) {
    let mut content = Vec::new();
    leb128(&mut content, SECTION.len());
    content.extend_from_slice(SECTION.as_bytes());
    content.extend_from_slice(data);
    bytes.push(0);
    leb128(bytes, content.len());
    bytes.extend_from_slice(&content);
}

/// A length as WebAssembly writes it: seven bits a byte, the lowest first.
fn leb128(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}
