//! What a guest and the components that are plugged into it want, read from the component before anything is linked.

use crate::guest::engine::Engine;
use crate::wasi;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wreimage_capability::{ALL, Caller, Capability, Function};

/// One capability that a component imports, with the functions that it can call.
#[derive(Debug, Clone)]
pub struct Import {
    /// Which component.
    pub caller: Caller,
    /// The capability.
    pub capability: &'static Capability,
    /// The interface as the component names it, with its version.
    pub interface: String,
    /// What it is called in the whole guest: what the linker links it under.
    pub(crate) linked: String,
    /// The functions that it imports.
    pub functions: Vec<&'static Function>,
}

/// The guest, or a component that is plugged into it, in messages.
pub(crate) fn who(plug: Option<&str>) -> String {
    match plug {
        None => "the guest".to_owned(),
        Some(name) => format!("the component `{name}`, which is plugged in,"),
    }
}

/// All that a component imports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) imports: Vec<Import>,
    /// Interfaces of the closed WASI.
    pub(crate) wasi: Vec<String>,
}

/// Something that a guest wants and this host does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// No capability of that name.
    #[error(
        "{who} imports {wants}, which this host does not offer; it offers {}",
        offered()
    )]
    UnknownInterface {
        /// The guest, or what is plugged into it.
        who: String,
        /// The import, with the functions that the guest wants of it.
        wants: String,
    },
    /// An interface of WASI that no guest gets.
    #[error(
        "{who} imports {wants}, which no guest gets: it reaches the world by capabilities only, and of WASI it has a closed \
         0.2 without files, network and environment. Take out what uses it (a library, or a feature of the tool), and build with \
         `wreimage build`"
    )]
    Wasi {
        /// The guest, or what is plugged into it.
        who: String,
        /// The import, with the functions that the guest wants of it.
        wants: String,
    },
    /// An interface of the asynchronous WASI.
    #[error(
        "{who} imports {wants}: it is built for WASI 0.3, whose calls are asynchronous; a guest makes one call after the \
         other. Build with `wreimage build`; by hand, JavaScript with `componentize-qjs --sync`, the rest for WASI 0.2"
    )]
    AsyncWasi {
        /// The guest, or what is plugged into it.
        who: String,
        /// The import, with the functions that the guest wants of it.
        wants: String,
    },
    /// The capability is there in a version that does not fit.
    #[error(
        "{who} imports {wants}, this host offers {has}: build it against the host's version (`wreimage build` does), or update \
         the host"
    )]
    Version {
        /// The guest, or what is plugged into it.
        who: String,
        /// The import, with the functions that the guest wants of it.
        wants: String,
        /// What the host has.
        has: &'static str,
    },
    /// The capability has no such function.
    #[error(
        "{who} imports the function `{function}` of {wants}, which {has} of this host does not have"
    )]
    UnknownFunction {
        /// The guest, or what is plugged into it.
        who: String,
        /// The interface as the guest names it.
        wants: String,
        /// The function.
        function: String,
        /// What the host has.
        has: &'static str,
    },
}

fn offered() -> String {
    let names: Vec<&str> = ALL.iter().map(|c| c.interface).collect();
    names.join(", ")
}

/// An interface and the functions that a guest wants of it, for messages.
fn named(interface: &str, functions: &[String]) -> String {
    let word = match functions {
        [] => return interface.to_owned(),
        [_] => "function",
        _ => "functions",
    };
    format!("{interface} ({word} `{}`)", functions.join("`, `"))
}

/// `wreimage:clock/clock` and `0.1.0` of `wreimage:clock/clock@0.1.0`.
fn split(interface: &str) -> (&str, &str) {
    interface.split_once('@').unwrap_or((interface, ""))
}

/// Whether a guest built for version `wants` can be served by `has`: the same major version, and before 1.0 the same
/// minor version, as wasmtime's linker matches names.
fn compatible(wants: &str, has: &str) -> bool {
    fn key(version: &str) -> Option<(u64, u64)> {
        let mut parts = version.split(['.', '-', '+']).map(str::parse::<u64>);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some((major, if major == 0 { minor } else { 0 }))
    }
    wants == has || (key(wants).is_some() && key(wants) == key(has))
}

/// The shared types, which have no functions.
const TYPES: [&str; 2] = ["wreimage:types/types", "wreimage:hooks/hook-types"];

/// The imports of a guest and of the components of these names that are plugged into it, checked against what this host has.
/// `own` is the name of a component that is to be plugged in, if it is one instead of a guest.
pub(crate) fn read(
    engine: &Engine,
    component: &Component,
    own: Option<&str>,
    plugs: &[String],
) -> Result<Wanted, ImportError> {
    let mut wanted = Wanted::default();
    for (linked, import) in component.component_type().imports(engine.wasm()) {
        let (caller, name) = match wreimage_composition::plugged(linked) {
            Some((number, name)) if number <= plugs.len() => (Caller::Plug(number), name),
            _ => (Caller::Guest, linked.to_owned()),
        };
        let who = || match caller {
            Caller::Guest => who(own),
            Caller::Plug(number) => who(number
                .checked_sub(1)
                .and_then(|at| plugs.get(at))
                .map(String::as_str)),
        };
        let name = name.as_str();
        let functions = match import.ty {
            ComponentItem::ComponentInstance(instance) => instance
                .exports(engine.wasm())
                .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>(),
            ComponentItem::Type(_) => continue,
            _ => {
                return Err(ImportError::UnknownInterface {
                    who: who(),
                    wants: name.to_owned(),
                });
            }
        };
        let (path, version) = split(name);
        if TYPES.contains(&path) && functions.is_empty() {
            continue;
        }
        if wasi::is_offered(name) {
            wanted.wasi.push(name.to_owned());
            continue;
        }
        if let Some(error) = closed(&who(), name, &functions) {
            return Err(error);
        }
        let Some(capability) = ALL.iter().find(|c| split(c.interface).0 == path) else {
            return Err(ImportError::UnknownInterface {
                who: who(),
                wants: named(name, &functions),
            });
        };
        if !compatible(version, split(capability.interface).1) {
            return Err(ImportError::Version {
                who: who(),
                wants: named(name, &functions),
                has: capability.interface,
            });
        }
        let functions = functions
            .into_iter()
            .map(|function| {
                capability
                    .function(&function)
                    .ok_or_else(|| ImportError::UnknownFunction {
                        who: who(),
                        wants: name.to_owned(),
                        function,
                        has: capability.interface,
                    })
            })
            .collect::<Result<Vec<_>, _>>()?;
        wanted.imports.push(Import {
            caller,
            capability,
            interface: name.to_owned(),
            linked: linked.to_owned(),
            functions,
        });
    }
    Ok(wanted)
}

/// What is wrong with an import of WASI that nobody gets; `None` for one that is offered, or is none of WASI.
pub(crate) fn closed(who: &str, import: &str, functions: &[String]) -> Option<ImportError> {
    let (path, version) = split(import);
    if !path.starts_with("wasi:") || wasi::is_offered(import) {
        return None;
    }
    let (who, wants) = (who.to_owned(), named(import, functions));
    Some(if version.starts_with("0.3.") {
        ImportError::AsyncWasi { who, wants }
    } else {
        ImportError::Wasi { who, wants }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::{ImportError, compatible, named};

    #[test]
    fn an_unknown_interface_is_named_with_its_functions_and_what_there_is() {
        let functions = ["turn".to_owned(), "push".to_owned()];
        assert_eq!(named("a:b/c@1.0.0", &[]), "a:b/c@1.0.0");
        assert_eq!(
            named("a:b/c@1.0.0", &functions[..1]),
            "a:b/c@1.0.0 (function `turn`)"
        );
        let wants = named("a:b/c@1.0.0", &functions);
        let who = "the guest".to_owned();
        let message = ImportError::UnknownInterface { who, wants }.to_string();
        assert!(
            message.contains("a:b/c@1.0.0 (functions `turn`, `push`)")
                && message.contains("wreimage:clock/clock@0.1.0"),
            "{message}"
        );
    }

    #[test]
    fn versions_match_as_the_linker_matches_them() {
        assert!(compatible("0.1.0", "0.1.0"));
        assert!(compatible("0.1.3", "0.1.0"));
        assert!(!compatible("0.2.0", "0.1.0"));
        assert!(compatible("1.4.0", "1.0.2"));
        assert!(!compatible("2.0.0", "1.0.0"));
        assert!(!compatible("", "0.1.0"));
        assert!(!compatible("x.y", "0.1.0"));
    }
}
