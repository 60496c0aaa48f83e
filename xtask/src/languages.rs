//! Guests in Python and JavaScript: the programs that pack them, and the components.

use crate::{apt, digest, inner, repository};
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use wreimage_kit::{Builder, COMPONENTIZE_PY, COMPONENTIZE_QJS};

/// How long the packing of one guest may take.
const DEADLINE: Duration = Duration::from_secs(600);

/// Folders with guests in Python and JavaScript, and where their components go.
fn guests() -> [(PathBuf, PathBuf); 5] {
    let examples = repository::guests().join("examples");
    let fixtures = repository::root().join("tests/languages/guests");
    let components = repository::components();
    [
        (examples.join("power-cycle-python"), components.clone()),
        (examples.join("power-cycle-js"), components.clone()),
        (examples.join("site-checks-python"), components.clone()),
        (fixtures.join("odd-python"), components.join(FIXTURES)),
        (fixtures.join("odd-js"), components.join(FIXTURES)),
    ]
}

/// Where components go that only tests use.
const FIXTURES: &str = "fixtures";

/// Where the programs are.
fn tools() -> PathBuf {
    repository::root().join("target").join("languages")
}

/// `componentize-py`, where [`build`] leaves it.
pub fn componentize_py() -> PathBuf {
    tools().join("venv/bin").join(COMPONENTIZE_PY.name)
}

/// `componentize-qjs`, where [`build`] leaves it.
pub fn componentize_qjs() -> PathBuf {
    tools()
        .join("node_modules/.bin")
        .join(COMPONENTIZE_QJS.name)
}

/// The Debian packages without which the programs cannot be installed. What is there in another way is not asked for.
pub fn missing() -> Vec<String> {
    let works = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .output()
            .is_ok_and(|output| output.status.success())
    };
    [
        (
            "python3-venv",
            works("python3", &["-c", "import venv, ensurepip"]),
        ),
        ("nodejs", works("node", &["--version"])),
        ("npm", works("npm", &["--version"])),
    ]
    .into_iter()
    .filter(|(_, there)| !there)
    .map(|(package, _)| package.to_owned())
    .collect()
}

/// Installs what is missing and builds the guests.
///
/// # Errors
/// As [`build`], or when a Debian package cannot be installed.
pub fn prepare() -> Result<()> {
    apt::install(&missing()).context("the packages that guests in Python and JavaScript need")?;
    build()
}

/// Builds the guests in Python and JavaScript, when something of them has changed.
///
/// # Errors
/// When a program cannot be installed, or a guest cannot be built.
pub fn build() -> Result<()> {
    install()?;
    let digest = digest_of_sources()?;
    let mut builder = Builder::new(DEADLINE);
    builder.componentize_py = Some(componentize_py());
    builder.componentize_qjs = Some(componentize_qjs());
    for (folder, into) in guests() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let component = into.join(format!("{name}.wasm"));
        let stamp = into.join(format!("{name}.sha256"));
        if component.exists() && fs::read_to_string(&stamp).is_ok_and(|it| it == digest) {
            println!("xtask: {name}.wasm is current");
            continue;
        }
        let began = Instant::now();
        fs::create_dir_all(&into).with_context(|| format!("cannot make {}", into.display()))?;
        let built = builder
            .build(&folder)
            .with_context(|| format!("guest {name}"))?;
        built.write(&component)?;
        fs::write(&stamp, &digest).with_context(|| format!("cannot write {}", stamp.display()))?;
        println!(
            "xtask: {name}.wasm {} bytes, {:.1} s",
            built.bytes.len(),
            began.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

fn digest_of_sources() -> Result<String> {
    let root = repository::root();
    let mut contents = digest::Contents::new();
    for tool in [COMPONENTIZE_PY, COMPONENTIZE_QJS] {
        contents.add(tool.name, tool.version.as_bytes());
    }
    let folders = [
        "guests/examples",
        "guests/sdk-python",
        "guests/sdk-js",
        "host/kit/src",
        "tests/languages/guests",
        "wit",
    ];
    for folder in folders {
        contents.add_folder(root, &root.join(folder))?;
    }
    Ok(contents.finish())
}

/// Installs the programs in their versions, from the registries of their languages, and names them to what is built after.
fn install() -> Result<()> {
    let tools = tools();
    fs::create_dir_all(&tools).with_context(|| format!("cannot make {}", tools.display()))?;
    let wanted = format!("{} {}", COMPONENTIZE_PY.version, COMPONENTIZE_QJS.version);
    let stamp = tools.join("versions");
    let there = componentize_py().is_file() && componentize_qjs().is_file();
    if !there || fs::read_to_string(&stamp).ok() != Some(wanted.clone()) {
        println!("xtask: installing componentize-py and componentize-qjs in target/languages");
        let venv = tools.join("venv");
        inner::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        inner::run(
            Command::new(venv.join("bin/pip"))
                .args(["install", "--quiet"])
                .arg(format!(
                    "{}=={}",
                    COMPONENTIZE_PY.name, COMPONENTIZE_PY.version
                )),
        )?;
        inner::run(
            Command::new("npm")
                .args(["install", "--silent", "--no-save", "--prefix"])
                .arg(&tools)
                .arg(format!(
                    "{}@{}",
                    COMPONENTIZE_QJS.name, COMPONENTIZE_QJS.version
                )),
        )?;
        fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    Ok(())
}

/// The environment in which a guest is built, by name.
pub fn environment() -> [(&'static str, PathBuf); 2] {
    [
        (COMPONENTIZE_PY.variable, componentize_py()),
        (COMPONENTIZE_QJS.variable, componentize_qjs()),
    ]
}
