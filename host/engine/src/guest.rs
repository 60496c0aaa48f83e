//! A guest, loaded and looked at before anything of it runs for real.

use crate::engine::Engine;
use crate::imports::{self, Import, ImportError};
use crate::limits::{Bounds, Limits, TooMuchMemory};
use crate::wasi::{self, HasWasi, Nowhere, Wasi};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;
use wasmtime::component::{Component, Linker};
use wasmtime::{Store, Trap};
use wreimage_capability::bindings::{Reimager, ReimagerPre};
use wreimage_capability::guest::{Description, OptionKind};
use wreimage_capability::{Caller, plug};
use wreimage_composition::{ComposeError, Composition, Plug};

/// A file that cannot be used as a guest.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// Not WebAssembly at all.
    #[error(
        "this is not a WebAssembly file: give the .wasm file that the guest's build makes; `wreimage inspect FILE` tells \
         whether a file is a guest"
    )]
    NotWasm,
    /// Compiled machine code: it would run unchecked.
    #[error(
        "this is a precompiled guest (.cwasm): it is machine code that nothing can check; give the .wasm file"
    )]
    Precompiled,
    /// A core module that nothing says how to call.
    #[error(
        "this is a core module without component type information: build the guest's folder with `wreimage build`; by hand, \
         with wit-bindgen for the world `wreimage:guest/reimager` ({0})"
    )]
    CoreModule(String),
    /// A core module for an interface that is no component's.
    #[error(
        "this is a core module for WASI preview 1 (wasm32-wasip1, or the adapter is missing): build the guest's folder with \
         `wreimage build`; by hand, Rust for wasm32-unknown-unknown, the rest as a component for WASI 0.2"
    )]
    Preview1,
    /// Broken.
    #[error("this component cannot be compiled: {0}")]
    Broken(String),
    /// A program instead of a guest.
    #[error(
        "this component is a program and no guest: it exports `{has}`, as one built with the adapter for commands does. Build \
         the guest's folder with `wreimage build`; by hand, as a library (reactor) that exports `{wants}`"
    )]
    Program {
        /// What a guest exports.
        wants: &'static str,
        /// What it exports.
        has: String,
    },
    /// It was built for another host.
    #[error(
        "the guest is built for another version: it exports `{has}`, this host wants `{wants}`. Build it with this host's \
         `wreimage build`, or use the host that it was built for"
    )]
    OtherVersion {
        /// What a guest exports.
        wants: &'static str,
        /// What it exports.
        has: String,
    },
    /// It has other exports.
    #[error(
        "this component is no guest: it does not export `{wants}`; it exports {has}. `wreimage new` makes a folder that \
         `wreimage build` can build; by hand, build it for a world that has this export"
    )]
    OtherWorld {
        /// What a guest exports.
        wants: &'static str,
        /// What it exports.
        has: String,
    },
    /// It wants what the host does not have.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Its types are not those of the host.
    #[error("the guest's types do not fit this host's: {0}")]
    Types(String),
    /// What is plugged in does not fit.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// What is to be plugged in is no component.
    #[error("{0}: {1}")]
    NoPlug(String, Box<GuestError>),
    /// A component that is plugged in says of itself what cannot be.
    #[error("the component {0} that is plugged in {1}")]
    Plugged(usize, String),
    /// It could not say what it is.
    #[error("the guest could not describe itself: {0}")]
    Describe(String),
}

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
    silent: ReimagerPre<Silent>,
}

/// What the store holds of an instance that may only describe itself.
struct Silent {
    bounds: Bounds,
    wasi: Wasi,
}

impl HasWasi for Silent {
    fn wasi(&mut self) -> &mut Wasi {
        &mut self.wasi
    }
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
                as_component(plug.bytes)
                    .map_err(|error| GuestError::NoPlug(plug.label.to_owned(), Box::new(error)))
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
        let digest = sha256(bytes);
        let component_bytes = as_component(bytes)?;
        let parts = Composition::read(&component_bytes)?;
        if let Some(parts) = &parts
            && known != Some(digest.as_str())
        {
            parts.verify(&component_bytes)?;
        }
        let component = Component::from_binary(&engine.wasm, &component_bytes)
            .map_err(|error| GuestError::Broken(format!("{error:#}")))?;
        exports_guest(engine, &component)?;
        let silent = link_silently(engine, &component)?;
        let plugged = parts.as_ref().map_or(&[][..], |parts| &parts.plugs);
        let described = describe_plugs(engine, &silent, plugged.len()).await?;
        let names: Vec<String> = described.iter().map(|it| it.name.clone()).collect();
        let imports::Wanted { imports, wasi } = imports::read(engine, &component, &names)?;
        let (imports, of_plugs): (Vec<Import>, Vec<Import>) = imports
            .into_iter()
            .partition(|import| import.caller == Caller::Guest);
        let description = describe(engine, &silent).await?;
        check_words(&description)?;
        check_names(&description.name, &names)?;
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
        describe(engine, &self.silent).await
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

/// A file as a component: a core module is wrapped.
fn as_component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, GuestError> {
    Ok(match kind(bytes)? {
        Kind::Component => Cow::Borrowed(bytes),
        Kind::CoreModule => Cow::Owned(wrap(bytes)?),
    })
}

enum Kind {
    Component,
    CoreModule,
}

/// The first eight bytes tell the two kinds of WebAssembly file apart.
fn kind(bytes: &[u8]) -> Result<Kind, GuestError> {
    if wasmtime::Engine::detect_precompiled(bytes).is_some() {
        return Err(GuestError::Precompiled);
    }
    match bytes.get(..8) {
        Some(b"\0asm\x01\0\0\0") => Ok(Kind::CoreModule),
        Some(b"\0asm\x0d\0\x01\0") => Ok(Kind::Component),
        _ => Err(GuestError::NotWasm),
    }
}

fn wrap(module: &[u8]) -> Result<Vec<u8>, GuestError> {
    // The name of the module that such imports are of; nothing else has it.
    let preview1 = b"wasi_snapshot_preview1";
    if module.windows(preview1.len()).any(|part| part == preview1) {
        return Err(GuestError::Preview1);
    }
    let failed = |error: anyhow::Error| GuestError::CoreModule(format!("{error:#}"));
    // Without this check such a module would be wrapped as a component that exports nothing.
    let (stripped, _) = wit_component::metadata::decode(module).map_err(failed)?;
    if stripped.is_none() {
        return Err(GuestError::CoreModule(
            "it has no `component-type` section".to_owned(),
        ));
    }
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .map_err(failed)?
        .encode()
        .map_err(failed)
}

fn exports_guest(engine: &Engine, component: &Component) -> Result<(), GuestError> {
    let names: Vec<String> = component
        .component_type()
        .exports(&engine.wasm)
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

/// A guest whose every import traps, but for the closed WASI.
fn link_silently(
    engine: &Engine,
    component: &Component,
) -> Result<ReimagerPre<Silent>, GuestError> {
    let failed = |error: wasmtime::Error| GuestError::Types(format!("{error:#}"));
    let mut linker: Linker<Silent> = Linker::new(&engine.wasm);
    wasi::link(&mut linker, &engine.wasm, component).map_err(failed)?;
    linker
        .define_unknown_imports_as_traps(component)
        .map_err(failed)?;
    linker
        .instantiate_pre(component)
        .and_then(ReimagerPre::new)
        .map_err(failed)
}

/// Asks the guest what it is, in a fresh instance.
async fn describe(
    engine: &Engine,
    silent: &ReimagerPre<Silent>,
) -> Result<Description, GuestError> {
    let limits = Limits::default().for_describe();
    // These limits are fixed: no key of the site file helps.
    let failed = |error: wasmtime::Error| {
        let told = tell(&error, limits, "", "");
        GuestError::Describe(format!("{told}; its author must mend it"))
    };
    let mut store = silent_store(engine, limits).map_err(failed)?;
    let guest: Reimager = silent.instantiate_async(&mut store).await.map_err(failed)?;
    let answer = guest.wreimage_guest_guest().call_describe(&mut store);
    let described = tokio::time::timeout(DESCRIBE_DEADLINE, answer).await;
    match described {
        Ok(Ok(described)) => Ok(described),
        Ok(Err(error)) => Err(match exception(&mut store).await {
            Some(exception) => GuestError::Describe(exception),
            None => failed(error),
        }),
        Err(_) => Err(GuestError::Describe(too_long())),
    }
}

/// How long a component may take to say what it is.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(10);

fn too_long() -> String {
    format!("it took longer than {} s", DESCRIBE_DEADLINE.as_secs())
}

/// The traceback of what was asked last, where its language has one.
async fn exception(store: &mut Store<Silent>) -> Option<String> {
    let _logged = store.data_mut().wasi.flush().await;
    store.data().wasi.exception()
}

/// A store of an instance that is only asked what it is.
fn silent_store(engine: &Engine, limits: Limits) -> wasmtime::Result<Store<Silent>> {
    let silent = Silent {
        bounds: limits.bounds(),
        wasi: Wasi::new(Box::new(Nowhere), "describe"),
    };
    let mut store = Store::new(&engine.wasm, silent);
    store.limiter(|silent| &mut silent.bounds);
    limits.fill(&mut store)?;
    Ok(store)
}

/// Asks each component that is plugged in what it is.
async fn describe_plugs(
    engine: &Engine,
    silent: &ReimagerPre<Silent>,
    count: usize,
) -> Result<Vec<plug::Description>, GuestError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let limits = Limits::default().for_describe();
    let failed = |number, error: wasmtime::Error| {
        let told = tell(&error, limits, "", "");
        GuestError::Plugged(
            number,
            format!("could not describe itself: {told}; its author must mend it"),
        )
    };
    let mut store = silent_store(engine, limits).map_err(|error| failed(1, error))?;
    let instance = silent
        .instance_pre()
        .instantiate_async(&mut store)
        .await
        .map_err(|error| failed(1, error))?;
    let mut described = Vec::new();
    for number in 1..=count {
        let failed = |error| failed(number, error);
        let interface = wreimage_composition::described(number);
        let function = instance
            .get_export_index(&mut store, None, &interface)
            .and_then(|it| instance.get_export_index(&mut store, Some(&it), "describe"))
            .ok_or_else(|| GuestError::Plugged(number, "does not say what it is".to_owned()))?;
        let function = instance
            .get_typed_func::<(), (plug::Description,)>(&mut store, &function)
            .map_err(failed)?;
        store.set_fuel(limits.fuel).map_err(failed)?;
        let answer = function.call_async(&mut store, ());
        let (description,) = match tokio::time::timeout(DESCRIBE_DEADLINE, answer).await {
            Ok(Ok(described)) => described,
            Ok(Err(error)) => {
                let exception = exception(&mut store).await;
                return Err(match exception {
                    Some(exception) => GuestError::Plugged(
                        number,
                        format!("could not describe itself: {exception}"),
                    ),
                    None => failed(error),
                });
            }
            Err(_) => return Err(GuestError::Plugged(number, too_long())),
        };
        check_plug(&description).map_err(|why| GuestError::Plugged(number, why))?;
        described.push(description);
    }
    Ok(described)
}

/// The name of a component that is plugged in is one of a site file, and what it says is shown on terminals.
fn check_plug(description: &plug::Description) -> Result<(), String> {
    let name = &description.name;
    let is_name = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !is_name {
        return Err(format!(
            "calls itself {name:?}, which is no name of lower-case letters, digits and dashes; its author must give it one"
        ));
    }
    let words = [&description.version, &description.summary];
    let extra = pairs(&description.extra).map(|(_, word)| word);
    if description.version.is_empty()
        || words
            .into_iter()
            .chain(extra)
            .any(|word| word.chars().any(char::is_control))
    {
        return Err(format!(
            "is `{name}`, and has no version, or a control character in its words; its author must mend them"
        ));
    }
    Ok(())
}

/// Grants and records name a component: no two may have one name.
fn check_names(guest: &str, plugs: &[String]) -> Result<(), GuestError> {
    let mut seen = vec![guest];
    for (index, name) in plugs.iter().enumerate() {
        if seen.contains(&name.as_str()) {
            return Err(GuestError::Plugged(
                index + 1,
                format!(
                    "is called `{name}`, as another component of this guest: nobody could tell them apart"
                ),
            ));
        }
        seen.push(name);
    }
    Ok(())
}

/// What the guest says of itself is shown on terminals and in reports: nothing of it may move the cursor or break a line.
fn check_words(description: &Description) -> Result<(), GuestError> {
    for word in [&description.name, &description.version] {
        if word.is_empty() || word.chars().any(char::is_control) {
            return Err(GuestError::Describe(format!(
                "{word:?} is no name or version; its author must give it one"
            )));
        }
    }
    let mut words = vec![("summary", &description.summary)];
    words.extend(pairs(&description.extra));
    for option in &description.options {
        words.push(("option name", &option.name));
        words.push(("option help", &option.help));
        words.extend(option.short.iter().map(|it| ("option letter", it)));
        words.extend(option.value_name.iter().map(|it| ("value name", it)));
        words.extend(option.default.iter().map(|it| ("default", it)));
        words.extend(option.needs.iter().map(|it| ("needed capability", it)));
        words.extend(pairs(&option.extra));
        match &option.kind {
            OptionKind::Choice(choices) => {
                words.extend(choices.iter().map(|it| ("choice", it)));
            }
            OptionKind::Other(kind) => words.push(("option kind", kind)),
            _ => {}
        }
    }
    match words
        .into_iter()
        .find(|(_, word)| word.chars().any(char::is_control))
    {
        None => Ok(()),
        Some((what, word)) => Err(GuestError::Describe(format!(
            "the {what} {word:?} has a control character; its author must take it out"
        ))),
    }
}

fn pairs(extra: &[(String, String)]) -> impl Iterator<Item = (&'static str, &String)> {
    extra
        .iter()
        .flat_map(|(key, value)| [("extra key", key), ("extra value", value)])
}

/// A trap in words, with the component's own frames and what to do.
pub(crate) fn explain(guest: &Guest, error: &wasmtime::Error, limits: Limits) -> String {
    let told = tell(
        error,
        limits,
        "; if it only needs longer, raise `limits.fuel` in the site file, else its author must mend it",
        "; raise `limits.guest-memory` in the site file, or ask its author why it needs so much",
    );
    guest.blame(error, told)
}

/// The same with advice for a guest that used up its fuel, and for one that used up its memory.
fn tell(error: &wasmtime::Error, limits: Limits, for_fuel: &str, for_memory: &str) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => format!(
            "it computed for {} units of fuel without calling the host: it loops{}{for_fuel}",
            limits.fuel,
            frames(error)
        ),
        Some(trap) => format!("it trapped: {trap}{}", frames(error)),
        None => match error.downcast_ref::<TooMuchMemory>() {
            Some(much) => format!("{much}{}{for_memory}", frames(error)),
            None => format!("{:#}", error.root_cause()),
        },
    }
}

fn frames(error: &wasmtime::Error) -> String {
    let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else {
        return String::new();
    };
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .filter_map(|frame| frame.func_name())
        .map(demangle)
        .filter(|name| !name.contains("panic") && !name.starts_with("cabi_"))
        .take(3)
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" (in {})", names.join(" < "))
    }
}

/// A name as the guest's author wrote it: demangled, without the compiler's hash.
fn demangle(name: &str) -> String {
    rustc_demangle::try_demangle(name)
        .map_or_else(|_| name.to_owned(), |demangled| format!("{demangled:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wreimage_capability::guest::OptionSpec;

    fn described(change: impl FnOnce(&mut Description)) -> Result<(), GuestError> {
        let mut description = Description {
            name: "g".to_owned(),
            version: "0.1.0".to_owned(),
            summary: "Looks".to_owned(),
            mutates: false,
            options: vec![OptionSpec {
                name: "os".to_owned(),
                short: None,
                help: "What to install".to_owned(),
                value_name: Some("OS".to_owned()),
                kind: OptionKind::Choice(vec!["trixie".to_owned()]),
                default: Some("trixie".to_owned()),
                required: false,
                needs: vec![],
                extra: vec![],
            }],
            extra: vec![],
        };
        change(&mut description);
        check_words(&description)
    }

    /// An option with a control character there is refused.
    fn wrong(change: impl Fn(&mut OptionSpec, String)) {
        let told = described(|it| {
            for option in &mut it.options {
                change(option, "a\u{1b}[2J".to_owned());
            }
        });
        assert!(
            told.as_ref()
                .is_err_and(|error| error.to_string().contains("control character")),
            "{told:?}"
        );
    }

    #[test]
    fn a_description_has_no_control_characters() {
        assert!(described(|_| {}).is_ok());
        assert!(described(|it| it.version.clear()).is_err());
        wrong(|option, text| option.name = text);
        wrong(|option, text| option.help = text);
        wrong(|option, text| option.value_name = Some(text));
        wrong(|option, text| option.default = Some(text));
        wrong(|option, text| option.kind = OptionKind::Choice(vec![text]));
        assert!(described(|it| it.summary = "two\nlines".to_owned()).is_err());
        assert!(described(|it| it.name = "g\n".to_owned()).is_err());
    }
}
