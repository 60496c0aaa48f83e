//! Core modules become components.

use anyhow::{Context, Result, bail};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wit_component::{ComponentEncoder, DecodedWasm};

/// Whether a core module says which world it is written for.
///
/// # Errors
/// When what it says cannot be read.
pub fn has_type_information(module: &[u8]) -> Result<bool> {
    let (without, _) = wit_component::metadata::decode(module)?;
    Ok(without.is_some())
}

/// Wraps a core module that carries component type information, and stamps it with its name and
/// the version of the SDK.
///
/// # Errors
/// When it lacks the information or does not fit it.
pub fn wrap(module: &[u8], name: &str, sdk_version: &str) -> Result<Vec<u8>> {
    if !has_type_information(module)? {
        bail!("the core module carries no component type information");
    }
    let component = ComponentEncoder::default()
        .module(module)?
        .validate(true)
        .encode()?;
    let mut stamp = AddMetadata::default();
    stamp.name = AddMetadataField::Set(name.to_owned());
    stamp.sdk = vec![("wreimage-sdk".to_owned(), sdk_version.to_owned())];
    stamp.to_wasm(&component)
}

/// Full names of what a component imports, such as `wreimage:ipmi/ipmi@0.1.0`.
///
/// # Errors
/// When it is no component.
pub fn imports(component: &[u8]) -> Result<Vec<String>> {
    let decoded = wit_component::decode(component)?;
    let DecodedWasm::Component(resolve, world) = &decoded else {
        bail!("it is a WIT package and no component");
    };
    let world = resolve
        .worlds
        .get(*world)
        .context("the component has no world")?;
    Ok(world
        .imports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect())
}
