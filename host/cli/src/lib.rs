//! The command line of `wreimage`: reimages servers by sandboxed WebAssembly guests.
// What people see goes through `output::print`, which makes it harmless.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod cli;
mod commands;
mod ending;
mod exit;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
mod next;
mod output;
mod setup;
mod terminal;

use clap::CommandFactory;
use exit::Exit;
use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    setup::compiler::compile_if_asked(&arguments);
    let exit = match start(arguments) {
        Ok(exit) => exit,
        Err(failure) => ending::fail(&cli::Cli::command(), &failure),
    };
    exit.into()
}

fn start(arguments: Vec<OsString>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads())
        .enable_all()
        .build()
        .map_err(|source| Failure::System {
            what: "no threads can be started",
            source,
        })?;
    let exit = runtime.block_on(cli::dispatch(arguments));
    // A thread that still waits for a key at the terminal must not hold the process.
    runtime.shutdown_background();
    exit
}

/// Runs wait more than they work; scenarios use what is there.
fn threads() -> usize {
    const FEWEST: usize = 2;
    const MOST: usize = 16;
    std::thread::available_parallelism().map_or(FEWEST, |there| there.get().clamp(FEWEST, MOST))
}
