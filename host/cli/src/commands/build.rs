//! `wreimage build`: a guest folder becomes a checked component.

use crate::arguments::period;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use crate::setup::compiler;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use wreimage_engine::{Guest, GuestError, Plugged};
use wreimage_kit::{Builder, Built};

/// `wreimage build`.
#[derive(Debug, Clone, Args)]
#[command(after_help = BUILD_HELP)]
pub struct Build {
    /// The guest folder: with Cargo.toml (Rust), guest.py (Python) or guest.js (JavaScript)
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Where the component goes; by default NAME.wasm in the folder
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How long each program that is started may take, such as 10m
    #[arg(long, value_name = "TIME", value_parser = period, default_value = "15m")]
    pub timeout: Duration,
}

/// Where `wreimage build` finds its programs.
const BUILD_HELP: &str = "\
Rust is compiled by cargo for wasm32-unknown-unknown. Python is packed by componentize-py and JavaScript by componentize-qjs:
the one that $WREIMAGE_COMPONENTIZE_PY or $WREIMAGE_COMPONENTIZE_QJS names, else the one in .venv, venv or node_modules of the
guest folder or of one above it, in $VIRTUAL_ENV, or on the path. When one is missing, the line that installs it is printed.";

/// Builds it, checks it as `inspect` does, and only then writes the file.
pub async fn build(arguments: &Build) -> Result<Exit, Failure> {
    let built = make(arguments).await?;
    let path = match &arguments.out {
        Some(path) => path.clone(),
        None => arguments.folder.join(format!("{}.wasm", built.name)),
    };
    let unusable = |error: GuestError| Failure::Built {
        name: built.name.clone(),
        path: path.clone(),
        source: Box::new(error),
    };
    let engine = compiler::engine(compiler::limits(None))?;
    let (name, version, looked_at) = if wreimage_engine::is_plug(&built.bytes) {
        let plug = Plugged::load(&engine, &built.bytes)
            .await
            .map_err(unusable)?
            .description;
        (plug.name, plug.version, "inspect reimage --plug")
    } else {
        let guest = Guest::load(&engine, &built.bytes).await.map_err(unusable)?;
        let description = guest.description();
        let (name, version) = (description.name.clone(), description.version.clone());
        (name, version, "inspect")
    };
    built.write(&path)?;
    print::line(&format!(
        "{}: {} {} ({}), {} bytes",
        path.display(),
        print::one_line(&name),
        print::one_line(&version),
        built.language.word(),
        built.bytes.len()
    ));
    print::line(&format!(
        "`wreimage {looked_at} {}` shows what it can call",
        with_folder(&path).display()
    ));
    Ok(Exit::Success)
}

/// Ctrl-C and SIGTERM stop what is being built.
async fn make(arguments: &Build) -> Result<Built, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|source| Failure::System {
        what: "SIGTERM cannot be awaited",
        source,
    })?;
    let builder = Builder::new(arguments.timeout);
    let stop = builder.stop.clone();
    let folder = arguments.folder.clone();
    let mut making = tokio::task::spawn_blocking(move || builder.build(&folder));
    let made = tokio::select! {
        made = &mut making => made,
        _ = tokio::signal::ctrl_c() => {
            stop.now();
            making.await
        }
        _ = terminate.recv() => {
            stop.now();
            making.await
        }
    };
    match made {
        Ok(built) => Ok(built?),
        Err(error) => Err(Failure::part("", error)),
    }
}

/// A bare file name would be taken for the name of an installed guest.
fn with_folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new(".").join(path),
        _ => path.to_owned(),
    }
}
