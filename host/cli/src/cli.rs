//! The table of commands, and the way to each.

use crate::commands::answer::{self, Answer};
use crate::commands::attach::{self, Attach};
use crate::commands::build::{self, Build};
use crate::commands::cancel::{self, Cancel};
use crate::commands::cleanup::{self, Cleanup};
use crate::commands::completions::{self, Completions};
use crate::commands::compose::{self, Compose};
use crate::commands::inspect::{self, Inspect};
use crate::commands::lab::{self, LabCommand};
use crate::commands::lock::{self, LockCommand};
use crate::commands::logs::{self, Logs};
use crate::commands::man;
use crate::commands::new::{self, New};
use crate::commands::resume::{self, Resume};
use crate::commands::run::{self, Run};
use crate::commands::runs::{self, Runs};
use crate::commands::show::{self, Show};
use crate::commands::site::{self, SiteCommand};
use crate::commands::test::{self, Test};
use crate::commands::watch::{self, Watch};
use crate::ending;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::trace;
use crate::setup::guest_options;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;

/// Reimages servers by sandboxed WebAssembly guests: every step recorded, rehearsable, taken back when it fails.
#[derive(Debug, Parser)]
#[command(name = "wreimage", version, after_help = crate::exit::HELP, arg_required_else_help = true)]
pub struct Cli {
    /// Trace the program on stderr: -v runs and calls, -vv requests to systems too; the variable WREIMAGE_LOG chooses by module
    #[arg(id = trace::VERBOSITY, short = 'v', global = true, action = ArgAction::Count)]
    pub verbosity: u8,
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

/// Does what these arguments say.
pub async fn dispatch(arguments: Vec<OsString>) -> Result<Exit, Failure> {
    let table = Cli::command();
    // The options of `run` depend on the guest: it is loaded before they can be read.
    if let Some(named) = guest_options::guest_of_run(&table, &arguments) {
        return run::run(table, &named, arguments).await;
    }
    let matches = match table.clone().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return ending::clap(&table, &error),
    };
    trace::start(&matches)?;
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return ending::clap(&table, &error),
    };
    match cli.command {
        Command::Run(_) => Err(Failure::usage(
            "no guest is named; `wreimage run GUEST --host HOST`, such as `wreimage run reimage --host host1001 --os bookworm`",
        )),
        Command::Resume(resume) => resume::resume(&resume).await,
        Command::Cleanup(cleanup) => cleanup::cleanup(&cleanup.going).await,
        Command::Answer(answer) => answer::answer(&answer),
        Command::Cancel(cancel) => cancel::cancel(&cancel),
        Command::Attach(attach) => attach::attach(&attach).await,
        Command::Lock(command) => lock::lock(&command).await,
        Command::Runs(runs) => runs::runs(&runs),
        Command::Show(show) => show::show(&show),
        Command::Logs(logs) => logs::logs(&logs).await,
        Command::Watch(watch) => watch::watch(&watch).await,
        Command::Inspect(inspect) => inspect::inspect(&inspect).await,
        Command::New(new) => new::new(&new),
        Command::Build(build) => build::build(&build).await,
        Command::Test(arguments) => test::test(&arguments).await,
        Command::Compose(compose) => compose::compose(&compose).await,
        Command::Lab(command) => lab::lab(&command),
        Command::Site(SiteCommand::Check(check)) => site::check(&check).await,
        Command::Completions(completions) => completions::complete(table, &completions).await,
        Command::Man => man::man(table),
    }
}
