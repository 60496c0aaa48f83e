//! Generated from `wit/`: one module a capability, with its functions and types.

/// The shared types. Generated apart, so that [`Fault`](crate::Fault) gets a `Display` that a person can read.
pub mod shared {
    wit_bindgen::generate!({
        inline: "package wreimage:sdk; world shared { import wreimage:types/types@0.1.0; }",
        path: "../../wit/deps/types",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq, Eq],
    });
}

wit_bindgen::generate!({
    world: "wreimage:guest/reimager",
    path: "../../wit",
    pub_export_macro: true,
    export_macro_name: "export_guest",
    default_bindings_module: "::wreimage_sdk::bindings",
    with: { "wreimage:types/types@0.1.0": shared::wreimage::types::types },
    generate_all,
    additional_derives: [PartialEq, Eq],
});
