//! A first look: everything is built, and a host is reimaged in the lab before the reader's eyes.

use crate::built::Built;
use crate::{guests, inner, repository};
use anyhow::Result;
use std::process::Command;

/// The host command: a healthy machine of the built-in lab, with the consent given beforehand.
const RUN: [&str; 9] = [
    "run",
    "target/guests/reimage.wasm",
    "--lab",
    "--host",
    "host1001",
    "--os",
    "bullseye",
    "--yes",
    "host1001",
];

/// Builds guests and host, then reimages `host1001` in the lab.
///
/// # Errors
/// When something cannot be built, or the run does not succeed.
pub fn run() -> Result<()> {
    guests::build(false)?;
    println!("xtask: compiling the host; the first time takes some minutes");
    let built = Built::programs()?;
    println!("xtask: wreimage {}\n", RUN.join(" "));
    let mut command = Command::new(built.program("wreimage")?);
    command.args(RUN).current_dir(repository::root());
    inner::run(&mut command)
}
