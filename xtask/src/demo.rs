//! A first look: everything is built, and a host is reimaged in the lab before the reader's eyes.

use crate::{guests, inner};
use anyhow::Result;

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
    inner::run(inner::cargo().args(["build", "--release", "--package", "wreimage"]))?;
    println!("xtask: wreimage {}\n", RUN.join(" "));
    let mut command = inner::cargo();
    command
        .args(["run", "--quiet", "--release", "--package", "wreimage", "--"])
        .args(RUN);
    inner::run(&mut command)
}
