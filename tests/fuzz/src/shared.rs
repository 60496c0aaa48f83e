//! What several targets need: created once, because it takes long or is large.

use std::path::PathBuf;
use std::sync::OnceLock;
use tokio::runtime::Runtime;
use wreimage_engine::Engine;
use wreimage_lab::{Lab, Pace, World};

pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(None).expect("an engine"))
}

pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    })
}

/// A data centre of its own for each input, so that no input depends on another.
pub(crate) fn lab() -> Lab {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(|| World::builtin().expect("the world that is built in"));
    Lab::new(world.clone(), Pace::Full)
}

/// The bytes of a component that `cargo xtask guests --fixtures` has built.
///
/// # Panics
/// When it is not built.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let built = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/guests"));
    let folder = std::env::var_os("WREIMAGE_GUESTS").map_or_else(built, PathBuf::from);
    let path = folder.join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{} is needed: {error}; run `cargo xtask guests --fixtures`",
            path.display()
        )
    })
}
