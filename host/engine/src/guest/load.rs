//! A guest, loaded and looked at before anything of it runs for real.

use crate::guest::describe::{self, Silent};
use crate::guest::engine::Engine;
use crate::guest::error::GuestError;
use crate::guest::imports::{self, Import};
use crate::guest::wrap::as_component;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::ops::Range;
use wasmtime::component::{Component, InstancePre};
use wreimage_capability::bindings::ReimagerPre;
use wreimage_capability::guest::Description;
use wreimage_capability::{Caller, plug};
use wreimage_composition::{Composition, DESCRIBE, Plug};

/// The interface that a guest exports.
const EXPORT: &str = "wreimage:guest/guest@0.1.0";

/// A guest that can be run.
pub struct Guest {
    pub(crate) component: Component,
    digest: String,
    size: usize,
    imports: Vec<Import>,
    wasi: Vec<String>,
    description: Description,
    own_digest: String,
    plugs: Vec<Plugged>,
    /// Where the components lie in the file.
    places: Vec<(Range<usize>, Caller)>,
    /// Linked to imports that trap: for `describe`.
    silent: InstancePre<Silent>,
}

/// A component that is plugged into a guest.
#[derive(Debug, Clone)]
pub struct Plugged {
    /// The component in its own words.
    pub description: plug::Description,
    /// SHA-256 of its file, in hexadecimal.
    pub digest: String,
    /// Size of its file in bytes.
    pub size: usize,
    /// What it can call.
    pub imports: Vec<Import>,
}

impl Plugged {
    /// Loads a component that is to be plugged into a guest, by itself: reads its imports and asks it what it is. Whether its hooks
    /// are those of a guest shows when it is plugged in.
    ///
    /// # Errors
    /// When it cannot be plugged into any guest of this host.
    pub async fn load(engine: &Engine, bytes: &[u8]) -> Result<Self, GuestError> {
        engine.check_size(bytes)?;
        let component_bytes = as_component(bytes)?;
        let component = engine
            .compile(&component_bytes, &sha256(&component_bytes))
            .await?;
        let silent = describe::link_silently(engine, &component)
            .map_err(|error| GuestError::Types(format!("{error:#}")))?;
        let description = describe::plug(engine, &silent, DESCRIBE)
            .await
            .map_err(GuestError::Plug)?;
        let own = Some(description.name.as_str());
        let imports = imports::read(engine, &component, own, &[])?.imports;
        Ok(Plugged {
            description,
            digest: sha256(bytes),
            size: bytes.len(),
            imports,
        })
    }
}

impl Guest {
    /// Plugs components into a guest: the file of a guest that has them. Each may be a core module that carries component type
    /// information.
    ///
    /// # Errors
    /// When one of them cannot be plugged in: says which, and why.
    pub fn compose(guest: &[u8], plugs: &[Plug<'_>]) -> Result<Vec<u8>, GuestError> {
        let guest = as_component(guest)?;
        let components = plugs
            .iter()
            .map(|plug| {
                let component = as_component(plug.bytes)
                    .map_err(|error| GuestError::NoPlug(plug.label.to_owned(), Box::new(error)))?;
                // In the whole nobody can tell any more whose this is.
                let imports = wreimage_composition::imports(&component);
                match imports
                    .iter()
                    .find_map(|import| imports::closed(plug.label, import, &[]))
                {
                    Some(error) => Err(GuestError::Import(error)),
                    None => Ok(component),
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let plugs: Vec<Plug<'_>> = plugs
            .iter()
            .zip(&components)
            .map(|(plug, bytes)| Plug {
                label: plug.label,
                bytes,
            })
            .collect();
        Ok(wreimage_composition::compose(&guest, &plugs)?)
    }

    /// Loads a component, or a core module that carries component type information; reads its imports and asks it what it
    /// is, without any capability.
    ///
    /// # Errors
    /// When it cannot be used as a guest on this host.
    pub async fn load(engine: &Engine, bytes: &[u8]) -> Result<Self, GuestError> {
        Guest::load_known(engine, bytes, None).await
    }

    /// As [`load`](Guest::load), for a file of which this host has once recorded the SHA-256: a composition with that digest is
    /// what it was then, and goes on being accepted when a later version of the host would compose it otherwise.
    ///
    /// # Errors
    /// When it cannot be used as a guest on this host.
    pub async fn load_known(
        engine: &Engine,
        bytes: &[u8],
        known: Option<&str>,
    ) -> Result<Self, GuestError> {
        engine.check_size(bytes)?;
        let component_bytes = as_component(bytes)?;
        let parts = Composition::read(&component_bytes)?;
        let digest = sha256(bytes);
        if let Some(parts) = &parts
            && known != Some(digest.as_str())
        {
            parts.verify(&component_bytes)?;
        }
        let own = match &component_bytes {
            Cow::Borrowed(_) => digest.clone(),
            Cow::Owned(wrapped) => sha256(wrapped),
        };
        let component = engine.compile(&component_bytes, &own).await?;
        exports_guest(engine, &component)?;
        let silent = describe::link_silently(engine, &component)
            .map_err(|error| GuestError::Types(format!("{error:#}")))?;
        // Whether `run` and `on-ended` have the types that they are called with.
        ReimagerPre::new(silent.clone())
            .map_err(|error| GuestError::Types(format!("{error:#}")))?;
        let plugged = parts.as_ref().map_or(&[][..], |parts| &parts.plugs);
        let mut described = Vec::new();
        for number in 1..=plugged.len() {
            let interface = wreimage_composition::described(number);
            let description = describe::plug(engine, &silent, &interface).await;
            described.push(description.map_err(|why| GuestError::Plugged(number, why))?);
        }
        let names: Vec<String> = described.iter().map(|it| it.name.clone()).collect();
        let imports::Wanted { imports, wasi } = imports::read(engine, &component, None, &names)?;
        let (imports, of_plugs): (Vec<Import>, Vec<Import>) = imports
            .into_iter()
            .partition(|import| import.caller == Caller::Guest);
        let description = describe::guest(engine, &silent, EXPORT).await?;
        describe::check_names(&description.name, &names)?;
        let plugs = described
            .into_iter()
            .zip(plugged)
            .enumerate()
            .map(|(index, (description, part))| Plugged {
                description,
                digest: part.digest(),
                size: part.bytes.len(),
                imports: of_plugs
                    .iter()
                    .filter(|import| import.caller == Caller::Plug(index + 1))
                    .cloned()
                    .collect(),
            })
            .collect();
        Ok(Guest {
            own_digest: match &parts {
                Some(parts) if !parts.plugs.is_empty() => parts.guest_digest()?,
                _ => digest.clone(),
            },
            places: places(parts.as_ref()),
            silent,
            component,
            digest,
            size: bytes.len(),
            imports,
            wasi,
            description,
            plugs,
        })
    }

    /// Asks the guest anew what it is, in a fresh instance: what an instance costs.
    ///
    /// # Errors
    /// When it cannot say.
    pub async fn describe(&self, engine: &Engine) -> Result<Description, GuestError> {
        describe::guest(engine, &self.silent, EXPORT).await
    }

    /// SHA-256 of the guest before anything was plugged into it, in hexadecimal: what a site file grants capabilities to. Without
    /// plugs it is that of the file.
    pub fn own_digest(&self) -> &str {
        &self.own_digest
    }

    /// What is plugged into it, in order.
    pub fn plugs(&self) -> &[Plugged] {
        &self.plugs
    }

    /// The name of the component that calls, when it is plugged in.
    pub fn plug_name(&self, caller: Caller) -> Option<&str> {
        match caller {
            Caller::Guest => None,
            Caller::Plug(number) => {
                let plug = self.plugs.get(number.checked_sub(1)?)?;
                Some(&plug.description.name)
            }
        }
    }

    /// What the guest and all that is plugged into it can call.
    pub fn all_imports(&self) -> impl Iterator<Item = &Import> {
        let plugged = self.plugs.iter().flat_map(|plug| &plug.imports);
        self.imports.iter().chain(plugged)
    }

    /// What is told of a trap, with the name of the component that trapped, if it is plugged in.
    pub(crate) fn blame(&self, error: &wasmtime::Error, told: String) -> String {
        match self.plug_name(self.whose(error)) {
            None => told,
            Some(name) => format!("the component `{name}` that is plugged into it failed: {told}"),
        }
    }

    /// Which component trapped: that whose code ran last.
    fn whose(&self, error: &wasmtime::Error) -> Caller {
        let backtrace = error.downcast_ref::<wasmtime::WasmBacktrace>();
        let mut offsets = backtrace
            .into_iter()
            .flat_map(|backtrace| backtrace.frames())
            .filter_map(|frame| frame.module_offset());
        offsets
            .find_map(|offset| {
                let place = self
                    .places
                    .iter()
                    .find(|(range, _)| range.contains(&offset));
                place.map(|(_, caller)| *caller)
            })
            .unwrap_or_default()
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// What the guest itself can call.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// The interfaces of WASI that it imports. Nothing of the machine is behind them.
    pub fn wasi(&self) -> &[String] {
        &self.wasi
    }

    /// The guest in its own words.
    pub fn description(&self) -> &Description {
        &self.description
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Where the components of a composition lie in its file.
fn places(parts: Option<&Composition<'_>>) -> Vec<(Range<usize>, Caller)> {
    let Some(parts) = parts else {
        return Vec::new();
    };
    let plugs = parts.plugs.iter().enumerate();
    let plugs = plugs.map(|(index, part)| (part.range.clone(), Caller::Plug(index + 1)));
    let own = [Some(&parts.core), parts.defaults.as_ref()];
    let own = own.into_iter().flatten();
    own.map(|part| (part.range.clone(), Caller::Guest))
        .chain(plugs)
        .collect()
}

fn exports_guest(engine: &Engine, component: &Component) -> Result<(), GuestError> {
    let names: Vec<String> = component
        .component_type()
        .exports(engine.wasm())
        .map(|(name, _)| name.to_owned())
        .collect();
    if names.iter().any(|name| name == EXPORT) {
        return Ok(());
    }
    let versionless = EXPORT.split('@').next().unwrap_or(EXPORT);
    let has = |path: &str| {
        names
            .iter()
            .find(|name| name.split('@').next() == Some(path))
            .cloned()
    };
    if let Some(has) = has(versionless) {
        return Err(GuestError::OtherVersion { wants: EXPORT, has });
    }
    let plug = DESCRIBE.split('@').next().unwrap_or(DESCRIBE);
    match has(plug) {
        Some(has) if has == DESCRIBE => return Err(GuestError::IsPlug),
        Some(has) => {
            return Err(GuestError::OtherVersion {
                wants: DESCRIBE,
                has,
            });
        }
        None => {}
    }
    if let Some(has) = has("wasi:cli/run") {
        return Err(GuestError::Program { wants: EXPORT, has });
    }
    Err(GuestError::OtherWorld {
        wants: EXPORT,
        has: if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        },
    })
}
