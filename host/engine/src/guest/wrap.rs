//! A file becomes a component.

use crate::guest::error::GuestError;
use std::borrow::Cow;

/// A file as a component: a core module is wrapped.
pub(crate) fn as_component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, GuestError> {
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
