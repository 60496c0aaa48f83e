//! How the program prints that it ends before a run has its own word on it.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::next;
use crate::output::print;
use clap::Command;

/// Prints why the program ends, and what to do next, on stderr. Returns how it ends.
pub fn fail(cli: &Command, failure: &Failure) -> Exit {
    let (exit, message) = (Exit::from(failure.kind()), failure.to_string());
    print::line(&format!("error: {message}"));
    if let Some(next) = next::behind(cli, exit, &message) {
        print::line(&next);
    }
    exit
}

/// What clap says: help and version are successes, the rest is wrong usage.
pub fn clap(cli: &Command, error: &clap::Error) -> Result<Exit, Failure> {
    let printed = error.print();
    if let Err(problem) = printed {
        return Err(Failure::part("", problem));
    }
    Ok(if error.use_stderr() {
        print::line(&format!("next: {}", next::help(cli)));
        Exit::Usage
    } else {
        Exit::Success
    })
}
