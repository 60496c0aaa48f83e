//! What each fuzz target does with its input, as plain functions: `fuzz/` gives them to libFuzzer, and the tests of this crate
//! replay the corpus that is kept in the repository without it.
//!
//! A target fails by a panic: of the code under test, or of an assertion here that states what must hold for every input.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

mod border;
mod components;
mod documents;
mod machines;
mod mutation;
mod redaction;
mod replay;
mod shared;

pub use border::border;
pub use components::{component, composition};
pub use documents::{batch, hosts, scenario, site, world};
pub use machines::{commands, ipmitool, known_hosts, scripts};
pub use redaction::redaction;
pub use replay::replay;

/// A target: its name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, by name. Each has a program in `fuzz/` and a folder in `fuzz/corpus/`.
pub const TARGETS: [Target; 14] = [
    ("batch", batch),
    ("border", border),
    ("commands", commands),
    ("component", component),
    ("composition", composition),
    ("hosts", hosts),
    ("ipmitool", ipmitool),
    ("known_hosts", known_hosts),
    ("redaction", redaction),
    ("replay", replay),
    ("scenario", scenario),
    ("scripts", scripts),
    ("site", site),
    ("world", world),
];

/// The input as text; bytes that are none are replaced, as the readers of other systems' output do.
fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}
