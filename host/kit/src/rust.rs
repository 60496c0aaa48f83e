//! Rust guests: a core module for wasm32-unknown-unknown, wrapped into a component that imports no WASI.

use crate::KitError;
use crate::build::made;
use crate::child::Bounds;
use crate::toolchain::{TARGET, Toolchain};
use serde_json::Value;
use std::path::{Path, PathBuf};
use wit_component::ComponentEncoder;

pub(crate) fn build(folder: &Path, bounds: &Bounds) -> Result<(String, Vec<u8>), KitError> {
    let toolchain = Toolchain::find(bounds)?;
    let package = Package::of(folder, &toolchain, bounds)?;
    let mut cargo = toolchain.cargo(&[(folder, &package.name)]);
    cargo
        .current_dir(folder)
        .args(["build", "--lib", "--package", &package.name])
        .args(toolchain.build_arguments());
    bounds.run(&mut cargo)?;
    let module = made(&package.module())?;
    let wrong = |error| {
        KitError::Wrong(format!(
            "{} was compiled, but cannot become a component: {error:#}. Does it export a guest (`wreimage_sdk::export!`), and \
             use no crate that needs an operating system?",
            package.name
        ))
    };
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(wrong)?;
    Ok((package.name, component))
}

/// What cargo says of the guest's package.
struct Package {
    name: String,
    library: String,
    target: PathBuf,
}

impl Package {
    fn of(folder: &Path, toolchain: &Toolchain, bounds: &Bounds) -> Result<Self, KitError> {
        let mut cargo = toolchain.cargo(&[]);
        cargo
            .current_dir(folder)
            .args(["metadata", "--no-deps", "--format-version", "1"]);
        let said = bounds.output(&mut cargo)?;
        let metadata: Value = serde_json::from_str(&said)
            .map_err(|error| KitError::Wrong(format!("cargo metadata cannot be read: {error}")))?;
        Package::read(&metadata, &folder.join("Cargo.toml"))
    }

    fn read(metadata: &Value, manifest: &Path) -> Result<Self, KitError> {
        let text = |value: &Value, key: &str| value.get(key)?.as_str().map(str::to_owned);
        let list = |value: &Value, key: &str| {
            let list = value.get(key).and_then(Value::as_array);
            list.cloned().unwrap_or_default()
        };
        let wrong = |why: &str| KitError::Wrong(format!("{}: {why}", manifest.display()));
        let package = list(metadata, "packages")
            .into_iter()
            .find(|it| text(it, "manifest_path").is_some_and(|path| Path::new(&path) == manifest))
            .ok_or_else(|| wrong("it has no package"))?;
        let library = list(&package, "targets")
            .into_iter()
            .find(|it| list(it, "crate_types").contains(&Value::from("cdylib")))
            .and_then(|it| text(&it, "name"))
            .ok_or_else(|| {
                wrong("a guest is a library with `crate-type = [\"cdylib\"]` under [lib]")
            })?;
        Ok(Package {
            name: text(&package, "name").ok_or_else(|| wrong("its package has no name"))?,
            library,
            target: text(metadata, "target_directory")
                .map(PathBuf::from)
                .ok_or_else(|| wrong("cargo names no target directory"))?,
        })
    }

    fn module(&self) -> PathBuf {
        let file = format!("{}.wasm", self.library.replace('-', "_"));
        self.target.join(TARGET).join("release").join(file)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Package;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn the_module_of_a_package_is_found() {
        let metadata = json!({
            "packages": [
                { "name": "other", "manifest_path": "/w/other/Cargo.toml", "targets": [] },
                { "name": "my-guest", "manifest_path": "/w/Cargo.toml",
                  "targets": [{ "name": "my_guest", "crate_types": ["cdylib"] }] }
            ],
            "target_directory": "/t"
        });
        let package = Package::read(&metadata, Path::new("/w/Cargo.toml")).unwrap();
        assert_eq!(package.name, "my-guest");
        let module = Path::new("/t/wasm32-unknown-unknown/release/my_guest.wasm");
        assert_eq!(package.module(), module);
        for (manifest, word) in [("/w/other/Cargo.toml", "cdylib"), ("/x", "no package")] {
            let told = Package::read(&metadata, Path::new(manifest)).err().unwrap();
            assert!(told.to_string().contains(word), "{told}");
        }
    }
}
