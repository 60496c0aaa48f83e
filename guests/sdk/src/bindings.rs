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

/// The types of the hooks, for both of their sides.
pub mod hook_types {
    wit_bindgen::generate!({
        inline: "package wreimage:sdk-hook-types; world hook-types { import wreimage:hooks/hook-types@0.1.0; }",
        path: ["../../wit/deps/types", "../../wit/deps/hooks"],
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq, Eq],
    });
}

/// The hooks as the guest calls them that has them.
pub mod hook_calls {
    wit_bindgen::generate!({
        inline: "package wreimage:sdk-hook-calls; world hook-calls {
            import wreimage:hooks/before-phase@0.1.0;
            import wreimage:hooks/after-phase@0.1.0;
            import wreimage:hooks/partitioning@0.1.0;
            import wreimage:hooks/post-install@0.1.0;
        }",
        path: ["../../wit/deps/types", "../../wit/deps/hooks"],
        with: {
            "wreimage:types/types@0.1.0": super::shared::wreimage::types::types,
            "wreimage:hooks/hook-types@0.1.0": super::hook_types::wreimage::hooks::hook_types,
        },
        generate_all,
    });
}

/// What a component that is plugged in says of itself.
pub mod plug {
    wit_bindgen::generate!({
        inline: "package wreimage:sdk-plug; world plug { export wreimage:hooks/plug@0.1.0; }",
        path: ["../../wit/deps/types", "../../wit/deps/hooks"],
        pub_export_macro: true,
        export_macro_name: "export_described",
        default_bindings_module: "::wreimage_sdk::bindings::plug",
        generate_all,
        additional_derives: [PartialEq, Eq],
    });
}

/// The hooks that a component that is plugged in exports: a world each, because a component exports the hooks that it wants.
macro_rules! hook {
    ($module:ident, $inline:literal, $export:literal, $here:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                inline: $inline,
                path: ["../../wit/deps/types", "../../wit/deps/hooks"],
                with: {
                    "wreimage:types/types@0.1.0": super::shared::wreimage::types::types,
                    "wreimage:hooks/hook-types@0.1.0": super::hook_types::wreimage::hooks::hook_types,
                },
                pub_export_macro: true,
                export_macro_name: $export,
                default_bindings_module: $here,
                generate_all,
                additional_derives: [PartialEq, Eq],
            });
        }
    };
}

hook!(
    before_phase,
    "package wreimage:sdk-before-phase; world before { export wreimage:hooks/before-phase@0.1.0; }",
    "export_before_phase",
    "::wreimage_sdk::bindings::before_phase"
);
hook!(
    after_phase,
    "package wreimage:sdk-after-phase; world after { export wreimage:hooks/after-phase@0.1.0; }",
    "export_after_phase",
    "::wreimage_sdk::bindings::after_phase"
);
hook!(
    partitioning,
    "package wreimage:sdk-partitioning; world parts { export wreimage:hooks/partitioning@0.1.0; }",
    "export_partitioning",
    "::wreimage_sdk::bindings::partitioning"
);
hook!(
    post_install,
    "package wreimage:sdk-post-install; world checks { export wreimage:hooks/post-install@0.1.0; }",
    "export_post_install",
    "::wreimage_sdk::bindings::post_install"
);
