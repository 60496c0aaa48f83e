//! What `bindgen!` makes of `wit/`. Everything that crosses the border is defined there and nowhere else.
#![allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    rustdoc::all
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "wreimage:guest/reimager",
    imports: { default: async | trappable },
    exports: { default: async },
    additional_derives: [serde::Serialize, serde::Deserialize, PartialEq],
});

/// What a component that is plugged into a guest says of itself.
pub mod plug {
    wasmtime::component::bindgen!({
        inline: "package wreimage:host; world plug { export wreimage:hooks/plug@0.1.0; }",
        path: ["../../wit/deps/types", "../../wit/deps/hooks"],
        exports: { default: async },
        additional_derives: [serde::Serialize, serde::Deserialize, PartialEq],
    });
}
