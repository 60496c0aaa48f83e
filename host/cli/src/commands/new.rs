//! `wreimage new`: a folder to begin a guest with, or a component to plug into one.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use wreimage_kit::Kind;

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

/// Makes it, and says what to do next.
pub fn new(arguments: &New) -> Result<Exit, Failure> {
    let language = match arguments.lang {
        Language::Rust => wreimage_kit::Language::Rust,
        Language::Python => wreimage_kit::Language::Python,
        Language::Js => wreimage_kit::Language::JavaScript,
    };
    let kind = if arguments.plug {
        Kind::Plug
    } else {
        Kind::Guest
    };
    let next = wreimage_kit::create(&arguments.folder, language, kind)?;
    print::line(&format!("made {}; go on with", arguments.folder.display()));
    for line in next {
        print::line(&format!("  {line}"));
    }
    Ok(Exit::Success)
}
