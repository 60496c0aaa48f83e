//! The hooks of a site that adds nothing. Joined with `reimage`, they make it a guest that needs no other component.

#[allow(missing_docs, clippy::all)]
mod bindings {
    wit_bindgen::generate!({
        inline: "package wreimage:default-hooks; world default-hooks {
            export wreimage:hooks/before-phase@0.1.0;
            export wreimage:hooks/after-phase@0.1.0;
            export wreimage:hooks/partitioning@0.1.0;
            export wreimage:hooks/post-install@0.1.0;
        }",
        path: ["../../wit/deps/types", "../../wit/deps/hooks"],
        generate_all,
    });
}

use bindings::exports::wreimage::hooks::{after_phase, before_phase, partitioning, post_install};
use bindings::wreimage::hooks::hook_types::{BootMedia, Finding, Phase};
use bindings::wreimage::types::types::Fault;

struct Nothing;

impl before_phase::Guest for Nothing {
    fn before_phase(_: Phase) -> Result<Vec<Finding>, Fault> {
        Ok(Vec::new())
    }
}

impl after_phase::Guest for Nothing {
    fn after_phase(_: Phase) -> Result<Vec<Finding>, Fault> {
        Ok(Vec::new())
    }
}

impl partitioning::Guest for Nothing {
    fn choose_media(proposed: BootMedia) -> Result<String, Fault> {
        Ok(proposed.media)
    }
}

impl post_install::Guest for Nothing {
    fn check_installed() -> Result<Vec<Finding>, Fault> {
        Ok(Vec::new())
    }
}

#[cfg(target_arch = "wasm32")]
bindings::export!(Nothing with_types_in bindings);
