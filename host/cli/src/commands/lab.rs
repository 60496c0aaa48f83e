//! `wreimage lab`.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use clap::Subcommand;

/// `wreimage lab`.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Print the built-in world: a start for a world of your own, which `run --lab=FILE` takes
    Show,
}

/// Does it.
pub fn lab(command: &LabCommand) -> Result<Exit, Failure> {
    match command {
        LabCommand::Show => print::own(wreimage_lab::BUILTIN)?,
    }
    Ok(Exit::Success)
}
