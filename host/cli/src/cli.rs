//! The command line, but for what a guest adds to it.

mod guest;
mod lock;
mod period;
mod place;
mod resume;
mod run;
mod runs;
mod test;

pub use guest::{Build, Completions, Compose, Inspect, Language, New};
pub use lock::{BreakLock, InitLease, LockCommand};
pub use place::{HOST_OPTIONS, LabCommand, Output, Place, SiteCheck, SiteCommand};
pub use resume::{Cleanup, Going, Resume};
pub use run::{Asking, OnFailure, Run};
pub use runs::{Answer, Attach, Cancel, Logs, Runs, Show, Watch};
pub use test::Test;

use clap::{Parser, Subcommand};

/// Reimages servers by sandboxed WebAssembly guests: every step recorded, rehearsable, taken back when it fails.
#[derive(Debug, Parser)]
#[command(name = "wreimage", version, after_help = crate::exit::HELP, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a guest for one host
    #[command(after_help = crate::exit::HELP)]
    Run(Run),
    /// Go on with a run that was interrupted or waits for an answer
    #[command(after_help = crate::exit::HELP)]
    Resume(Resume),
    /// End a run that nobody will resume: takes back what it has set, and says what is left
    #[command(after_help = crate::exit::HELP)]
    Cleanup(Cleanup),
    /// Answer the question that a run waits for, from any terminal
    Answer(Answer),
    /// Cancel a run that goes on in another process, as Ctrl-C does there
    Cancel(Cancel),
    /// Show a run that goes on in another process, and answer its questions; Ctrl-C leaves it going on
    #[command(after_help = crate::exit::HELP)]
    Attach(Attach),
    /// The locks and leases that runs hold on their hosts
    #[command(subcommand)]
    Lock(LockCommand),
    /// List the runs
    Runs(Runs),
    /// Show a run: its steps with durations and evidence, and what is left
    Show(Show),
    /// Print the events of a run
    Logs(Logs),
    /// Show what a guest is and what it can do, without running it
    Inspect(Inspect),
    /// Make a folder to begin a guest with: a small runbook, the WIT, the SDK, scenarios
    New(New),
    /// Turn a guest folder into a component that is checked: NAME.wasm
    Build(Build),
    /// Test a guest in the simulated data centre: against scenarios, or by a sweep of everything that can go wrong
    #[command(after_help = crate::exit::TEST_HELP)]
    Test(Test),
    /// Plug components of a site into a guest: writes one file that is run like any guest
    #[command(after_help = crate::exit::HELP)]
    Compose(Compose),
    /// The simulated data centre
    #[command(subcommand)]
    Lab(LabCommand),
    /// The configuration of a real data centre
    #[command(subcommand)]
    Site(SiteCommand),
    /// Tell the site's people when a process goes away whose runs have not ended; `run` starts it by itself
    #[command(hide = true)]
    Watch(Watch),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Print the manual page
    Man,
}
