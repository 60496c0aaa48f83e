//! The tasks of this repository, run as `cargo xtask …`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod apt;
mod book;
mod built;
mod ci;
mod component;
mod copy;
mod demo;
mod deny;
mod digest;
mod full;
mod fuzz;
mod generate;
mod guests;
mod inner;
mod lamp;
mod languages;
mod mutants;
mod pip;
mod repository;
mod structure;
mod sweep;
mod tally;
mod test;
mod toolchain;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// The tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the guests into target/guests/NAME.wasm
    Guests {
        /// Also the misbehaving guests that the tests use, into target/guests/fixtures/
        #[arg(long)]
        fixtures: bool,
        /// Also those in Python and JavaScript; installs the programs that pack them in target/languages
        #[arg(long)]
        languages: bool,
    },
    /// Build everything and reimage host1001 in the lab
    Demo,
    /// Install what the tests need, build everything, run the tests
    Test {
        /// One part; all of them when none is named
        part: Option<test::Part>,
    },
    /// Kill reimages at their records and in their calls, and resume or end them: a seeded sample of the points; the tests try
    /// fewer, others each day
    Sweep(sweep::Arguments),
    /// Put the bugs of the past into the guest, one after the other: the scenarios written against each must fail, and the
    /// invariants break
    Mutants {
        /// Those of the host instead: the first takes many minutes to compile, each a minute or two
        #[arg(long)]
        host: bool,
        /// Only those whose names hold one of these texts, such as F01
        names: Vec<String>,
    },
    /// Check the dependencies of all workspaces against the rules of deny.toml, without the network
    Deny {
        /// A clone of the RustSec advisory database: the advisories are checked too
        #[arg(long, value_name = "FOLDER")]
        advisories: Option<PathBuf>,
    },
    /// Give the readers of what comes from outside generated input; `cargo xtask test unit` replays the corpus of the repository
    Fuzz(fuzz::Fuzz),
    /// Write what follows from wit/ and the list of capabilities: modules, imports, the book's page
    Generate,
    /// Write the book's page on capabilities from wit/
    Book,
    /// Add a made-up capability to a copy of the repository: at most 5 files and 4 rows, and it compiles
    Lamp {
        /// Also run its tests
        #[arg(long)]
        whole: bool,
    },
    /// What has to pass: format, lints, documentation, rules for dependencies, all tests, every mutant of the guest
    Ci,
    /// Everything: also the sweeps of real processes, the host's mutants and the fuzz targets, in parts that each fit an hour; run
    /// it before a large change is called done
    Full {
        /// One part; all of them when none is named
        part: Option<full::Part>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Guests {
            fixtures,
            languages,
        } => {
            guests::build(fixtures)?;
            if languages {
                languages::prepare()?;
            }
            Ok(())
        }
        Task::Demo => demo::run(),
        Task::Test { part } => test::run(part),
        Task::Sweep(arguments) => sweep::run(&arguments),
        Task::Mutants { host, names } => mutants::run(&names, host),
        Task::Deny { advisories } => deny::run(advisories.as_deref()),
        Task::Fuzz(fuzz) => fuzz::run(&fuzz),
        Task::Generate => generate::write(repository::root()),
        Task::Book => book::write(repository::root()),
        Task::Lamp { whole } => lamp::run(whole),
        Task::Ci => ci::run(),
        Task::Full { part } => full::run(part),
    }
}
