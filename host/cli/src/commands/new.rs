//! `wreimage new`: a folder to begin a guest with, or a component to plug into one.

use crate::arguments::{Language, New};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::tell;
use wreimage_kit::Kind;

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
    tell::line(&format!("made {}; go on with", arguments.folder.display()));
    for line in next {
        tell::line(&format!("  {line}"));
    }
    Ok(Exit::Success)
}
