//! `wreimage man`.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use clap::Command;

/// Prints the manual page.
pub fn man(cli: Command) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(cli)
        .render(&mut page)
        .map_err(|error| Failure::part("", error))?;
    print::own(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Success)
}
