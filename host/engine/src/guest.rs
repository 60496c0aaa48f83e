//! A guest, loaded and looked at before anything of it runs for real.

use crate::engine::{Engine, TICK};
use crate::imports::{self, Import, ImportError};
use crate::limits::{Bounds, Limits, TooMuchMemory};
use crate::wasi::{self, HasWasi, Nowhere, Wasi};
use sha2::{Digest, Sha256};
use std::time::Duration;
use wasmtime::component::{Component, Linker};
use wasmtime::{Store, Trap};
use wreimage_capability::bindings::{Reimager, ReimagerPre};
use wreimage_capability::guest::{Description, OptionKind};

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

impl Guest {
    /// Loads a component, or a core module that carries component type information; reads its imports and asks it what it
    /// is, without any capability.
    ///
    /// # Errors
    /// When it cannot be used as a guest on this host.
    pub async fn load(engine: &Engine, bytes: &[u8]) -> Result<Self, GuestError> {
        let wrapped;
        let component_bytes = match kind(bytes)? {
            Kind::Component => bytes,
            Kind::CoreModule => {
                wrapped = wrap(bytes)?;
                &wrapped
            }
        };
        let component = Component::from_binary(&engine.wasm, component_bytes)
            .map_err(|error| GuestError::Broken(format!("{error:#}")))?;
        exports_guest(engine, &component)?;
        let imports::Wanted { imports, wasi } = imports::read(engine, &component)?;
        let silent = link_silently(engine, &component)?;
        let description = describe(engine, &silent).await?;
        check_words(&description)?;
        Ok(Guest {
            silent,
            component,
            digest: Sha256::digest(bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
            size: bytes.len(),
            imports,
            wasi,
            description,
        })
    }

    /// Asks the guest anew what it is, in a fresh instance: what an instance costs.
    ///
    /// # Errors
    /// When it cannot say.
    pub async fn describe(&self, engine: &Engine) -> Result<Description, GuestError> {
        describe(engine, &self.silent).await
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// What it can call.
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
    let silent_store = Silent {
        bounds: limits.bounds(),
        wasi: Wasi::new(Box::new(Nowhere), "describe"),
    };
    let mut store = Store::new(&engine.wasm, silent_store);
    store.limiter(|silent| &mut silent.bounds);
    store.set_fuel(limits.fuel).map_err(failed)?;
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    let guest: Reimager = silent.instantiate_async(&mut store).await.map_err(failed)?;
    let deadline = Duration::from_secs(10).max(TICK);
    let described = tokio::time::timeout(
        deadline,
        guest.wreimage_guest_guest().call_describe(&mut store),
    )
    .await;
    // The traceback, where the guest's language has one.
    let _logged = store.data_mut().wasi.flush().await;
    let exception = store.data().wasi.exception();
    match described {
        Ok(described) => described.map_err(|error| match exception {
            Some(exception) => GuestError::Describe(exception),
            None => failed(error),
        }),
        Err(_) => Err(GuestError::Describe(format!(
            "it took longer than {} s",
            deadline.as_secs()
        ))),
    }
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

/// A trap in words, with the guest's own frames and what to do.
pub(crate) fn explain(error: &wasmtime::Error, limits: Limits) -> String {
    tell(
        error,
        limits,
        "; if it only needs longer, raise `limits.fuel` in the site file, else its author must mend it",
        "; raise `limits.guest-memory` in the site file, or ask its author why it needs so much",
    )
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
