//! What has to pass before anything is merged.

use crate::{deny, guests, inner, lamp, mutants, repository, structure, test};
use anyhow::Result;
use std::process::Command;

/// Format, lints, documentation, rules for dependencies, what a new capability costs, all tests, and that each bug of the past is
/// noticed.
///
/// # Errors
/// The first check that does not pass.
pub fn run() -> Result<()> {
    structure::check(repository::root())?;
    for check in [format(), lints(), documentation()] {
        for mut command in check {
            println!("xtask: {}", inner::shown(&command));
            inner::run(&mut command)?;
        }
    }
    deny::run(None)?;
    lamp::run(false)?;
    test::run(None)?;
    mutants::run(&[], false)
}

fn format() -> [Command; 2] {
    both(&["fmt", "--all", "--check"])
}

fn lints() -> [Command; 2] {
    both(&[
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "--deny=warnings",
    ])
}

fn documentation() -> [Command; 2] {
    both(&["doc", "--release", "--workspace", "--no-deps"]).map(|mut command| {
        command.env("RUSTDOCFLAGS", "--deny=warnings");
        command
    })
}

/// The same for the host and for the guests, which this machine's own target can check as well.
fn both(arguments: &[&str]) -> [Command; 2] {
    let mut host = inner::cargo();
    host.args(arguments);
    let mut guest = inner::cargo();
    guest.args(arguments);
    guests::natively(&mut guest);
    [host, guest]
}
