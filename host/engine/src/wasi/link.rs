//! Which interfaces of WASI a guest may import, and what stands behind their functions.

use super::clocks::RESOLUTION_NS;
use super::types::{Input, IoError, Network, Never, Output, Pollable};
use super::{Exited, HasWasi, Stream, io, step_aside};
use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};
use wasmtime::{Result, bail};

/// Packages of WASI 0.2 that the runtimes of languages import, whether the guest uses them or not.
const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Error codes that say no, by which a closed function refuses.
const REFUSALS: [&str; 4] = ["access-denied", "access", "not-supported", "unsupported"];

/// Whether the closed WASI has this interface, such as `wasi:io/poll@0.2.9`.
pub(crate) fn is_offered(import: &str) -> bool {
    let Some(rest) = import.strip_prefix("wasi:") else {
        return false;
    };
    let (path, version) = rest.split_once('@').unwrap_or((rest, ""));
    let package = path.split('/').next().unwrap_or_default();
    version.starts_with("0.2.") && PACKAGES.contains(&package)
}

/// Gives a linker what the component imports of the closed WASI.
pub(crate) fn link<T: HasWasi>(
    linker: &mut Linker<T>,
    engine: &wasmtime::Engine,
    component: &Component,
) -> Result<()> {
    for (import, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if !is_offered(import) {
            continue;
        }
        let path = import.split('@').next().unwrap_or(import);
        let mut into = linker.instance(import)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => resource(&mut into, name)?,
                ComponentItem::ComponentFunc(_) if function(&mut into, path, name)? => {}
                ComponentItem::ComponentFunc(_) => closed(&mut into, path, name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// A resource, by its name: they differ in all of WASI 0.2.
fn resource<T: HasWasi>(into: &mut LinkerInstance<'_, T>, name: &str) -> Result<()> {
    if name == "pollable" {
        return into.resource(
            name,
            ResourceType::host::<Pollable>(),
            |mut store, number| {
                store.data_mut().wasi().drop_pollable(number);
                Ok(())
            },
        );
    }
    let kind = match name {
        "error" => ResourceType::host::<IoError>(),
        "input-stream" => ResourceType::host::<Input>(),
        "output-stream" => ResourceType::host::<Output>(),
        "network" => ResourceType::host::<Network>(),
        _ => ResourceType::host::<Never>(),
    };
    into.resource(name, kind, |_, _| Ok(()))
}

/// A function that works here; false when there is none of that name.
fn function<T: HasWasi>(into: &mut LinkerInstance<'_, T>, path: &str, name: &str) -> Result<bool> {
    match (path, name) {
        ("wasi:io/streams", _) => return io::streams(into, name),
        ("wasi:io/poll", _) => return io::poll(into, name),
        ("wasi:clocks/wall-clock", "now") => into.func_wrap(name, |mut store, (): ()| {
            Ok((store.data_mut().wasi().wall_clock(),))
        })?,
        ("wasi:clocks/wall-clock", "resolution") => into.func_wrap(name, |_, (): ()| {
            Ok((super::types::Datetime {
                seconds: 0,
                nanoseconds: u32::try_from(RESOLUTION_NS)?,
            },))
        })?,
        ("wasi:clocks/monotonic-clock", "now") => into.func_wrap(name, |mut store, (): ()| {
            Ok((store.data_mut().wasi().monotonic(),))
        })?,
        ("wasi:clocks/monotonic-clock", "resolution") => {
            into.func_wrap(name, |_, (): ()| Ok((RESOLUTION_NS,)))?
        }
        ("wasi:clocks/monotonic-clock", "subscribe-instant") => into
            .func_wrap(name, |mut store, (due,): (u64,)| {
                Ok((store.data_mut().wasi().pollable(due)?,))
            })?,
        ("wasi:clocks/monotonic-clock", "subscribe-duration") => {
            into.func_wrap(name, |mut store, (duration,): (u64,)| {
                Ok((store.data_mut().wasi().pollable_after(duration)?,))
            })?
        }
        ("wasi:random/random", "get-random-bytes")
        | ("wasi:random/insecure", "get-insecure-random-bytes") => {
            into.func_wrap_async(name, |mut store, (length,): (u64,)| {
                Box::new(async move {
                    step_aside().await;
                    Ok((store.data_mut().wasi().random_bytes(length)?,))
                })
            })?
        }
        ("wasi:random/random", "get-random-u64")
        | ("wasi:random/insecure", "get-insecure-random-u64") => into
            .func_wrap(name, |mut store, (): ()| {
                Ok((store.data_mut().wasi().random_number(),))
            })?,
        ("wasi:random/insecure-seed", "insecure-seed") => {
            into.func_wrap(name, |mut store, (): ()| {
                let wasi = store.data_mut().wasi();
                Ok(((wasi.random_number(), wasi.random_number()),))
            })?
        }
        ("wasi:cli/environment", "get-environment") => {
            into.func_wrap(name, |_, (): ()| Ok((Vec::<(String, String)>::new(),)))?
        }
        ("wasi:cli/environment", "get-arguments") => {
            into.func_wrap(name, |_, (): ()| Ok((Vec::<String>::new(),)))?
        }
        ("wasi:cli/stdin", "get-stdin") => into.func_wrap(name, |_, (): ()| Ok((io::input(),)))?,
        ("wasi:cli/stdout", "get-stdout") => {
            into.func_wrap(name, |_, (): ()| Ok((io::output(Stream::Out),)))?
        }
        ("wasi:cli/stderr", "get-stderr") => {
            into.func_wrap(name, |_, (): ()| Ok((io::output(Stream::Err),)))?
        }
        ("wasi:cli/exit", "exit") => into.func_wrap(
            name,
            |_, (status,): (std::result::Result<(), ()>,)| -> Result<()> {
                Err(wasmtime::Error::new(Exited(u8::from(status.is_err()))))
            },
        )?,
        ("wasi:cli/exit", "exit-with-code") => into
            .func_wrap(name, |_, (code,): (u8,)| -> Result<()> {
                Err(wasmtime::Error::new(Exited(code)))
            })?,
        ("wasi:sockets/instance-network", "instance-network") => {
            into.func_wrap(name, |_, (): ()| Ok((Resource::<Network>::new_own(0),)))?
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// A function behind which there is nothing: it answers by its type that there is nothing or that it is not allowed. Where the
/// type has no such answer the guest cannot have come by what the function needs; it traps.
fn closed<T: HasWasi>(into: &mut LinkerInstance<'_, T>, path: &str, name: &str) -> Result<()> {
    let what = format!("{path}#{name}");
    into.func_new_async(name, move |mut store, function, arguments, results| {
        let what = what.clone();
        Box::new(async move {
            // What was lent has to be given back.
            for argument in arguments {
                if let Val::Resource(lent) = argument {
                    lent.resource_drop_async(&mut store).await?;
                }
            }
            match (results.first_mut(), function.results().next()) {
                (None, _) => Ok(()),
                (Some(result), Some(kind)) => match nothing(&kind) {
                    Some(value) => {
                        *result = value;
                        Ok(())
                    }
                    None => {
                        bail!("it called {what}: a guest has no files, no network and no terminal")
                    }
                },
                (Some(_), None) => bail!("{what} has a result without a type"),
            }
        })
    })
}

/// How a value of this type says that there is nothing, or no.
fn nothing(kind: &Type) -> Option<Val> {
    match kind {
        Type::Option(_) => Some(Val::Option(None)),
        Type::List(_) => Some(Val::List(Vec::new())),
        Type::Result(result) => {
            let Some(Type::Enum(codes)) = result.err() else {
                return None;
            };
            let refusal = REFUSALS
                .into_iter()
                .find(|refusal| codes.names().any(|code| code == *refusal))?;
            let refusal = Val::Enum(refusal.to_owned());
            Some(Val::Result(Err(Some(Box::new(refusal)))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_offered;

    #[test]
    fn only_what_is_closed_here_is_offered() {
        for offered in ["wasi:io/poll@0.2.9", "wasi:sockets/tcp@0.2.0"] {
            assert!(is_offered(offered), "{offered}");
        }
        for not in [
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:clocks/monotonic-clock@0.3.0",
            "wasi:io/poll",
            "wreimage:clock/clock@0.1.0",
        ] {
            assert!(!is_offered(not), "{not}");
        }
    }
}
