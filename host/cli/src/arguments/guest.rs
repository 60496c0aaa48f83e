//! Commands for the authors of guests.

use super::period::period;
use super::{Output, Place};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// `wreimage completions`.
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
    /// Complete this guest's options of `run` as well, with the releases that the site file names or that its command listed
    /// last: print the script again when they change
    #[arg(long, value_name = "GUEST")]
    pub guest: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage new`.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// The new folder; its last component is the guest's name: lower-case words joined by `-`
    #[arg(value_name = "NAME")]
    pub folder: PathBuf,
    /// The language to write the guest in
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub lang: Language,
    /// Begin a component of your site to plug into `reimage`, instead of a guest
    #[arg(long)]
    pub plug: bool,
}

/// The languages that guests are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Compiled by cargo; small and fast.
    Rust,
    /// Packed with its interpreter by `componentize-py`.
    Python,
    /// Packed with its interpreter by `componentize-qjs`.
    Js,
}

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

/// `wreimage inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The guest: a path or a name, as for `run`
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// Plug a component of the site into it first; may be given several times
    #[arg(long, value_name = "FILE")]
    pub plug: Vec<String>,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// `wreimage compose`.
#[derive(Debug, Args)]
pub struct Compose {
    /// The guest: a path or a name, as for `run`
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// The component to plug in, by path or name; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub plug: Vec<String>,
    /// The file to write; without it the names of all, such as reimage+site-checks.wasm, in the current folder
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
