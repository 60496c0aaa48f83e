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
