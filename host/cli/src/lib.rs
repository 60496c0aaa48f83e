//! The command line of `wreimage`: reimages servers by sandboxed WebAssembly guests.
// What people see goes through `tell`, which makes it harmless.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod actor;
mod answer;
mod arguments;
mod attach;
mod break_lock;
mod broken;
mod build;
mod choices;
mod cleanup;
mod compiler;
mod compose;
mod conclude;
mod consent;
mod detach;
mod exit;
mod face;
mod failure;
mod files;
mod frontend;
#[doc(hidden)]
pub mod fuzzing;
mod ground;
mod guest_options;
mod inspect;
mod launching;
mod load_guest;
mod locks;
mod logs;
mod many;
mod new;
mod next;
mod notice;
mod prompt;
mod resume;
mod run;
mod runs;
mod session;
mod show;
mod site_check;
mod tell;
mod test;

use arguments::{Command, LabCommand, LockCommand, SiteCommand};
use clap::{CommandFactory, FromArgMatches};
use exit::Exit;
use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    compiler::compile_if_asked(&arguments);
    let exit = match start(arguments) {
        Ok(exit) => exit,
        Err(failure) => exit::fail(&failure),
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
    let exit = runtime.block_on(dispatch(arguments));
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

async fn dispatch(arguments: Vec<OsString>) -> Result<Exit, Failure> {
    // The options of `run` depend on the guest: it is loaded before they can be read.
    if let Some(named) = guest_options::guest_of_run(&arguments) {
        return run::run(&named, arguments).await;
    }
    let matches = match arguments::Cli::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return exit::clap(&error),
    };
    let cli = match arguments::Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return exit::clap(&error),
    };
    match cli.command {
        Command::Run(_) => Err(Failure::usage(
            "no guest is named; `wreimage run GUEST --host HOST`, such as `wreimage run reimage --host host1001 --os bookworm`",
        )),
        Command::Resume(resume) => resume::resume(&resume).await,
        Command::Cleanup(cleanup) => cleanup::cleanup(&cleanup.going).await,
        Command::Answer(answer) => answer::answer(&answer),
        Command::Cancel(cancel) => answer::cancel(&cancel),
        Command::Attach(attach) => attach::attach(&attach).await,
        Command::Lock(LockCommand::Ls(which)) => locks::list(&which).await,
        Command::Lock(LockCommand::Break(which)) => break_lock::break_lock(&which).await,
        Command::Lock(LockCommand::Init(place)) => locks::init(&place).await,
        Command::Runs(runs) => runs::runs(&runs),
        Command::Show(show) => show::show(&show),
        Command::Logs(logs) => logs::logs(&logs).await,
        Command::Watch(watch) => notice::watch(&watch).await,
        Command::Inspect(inspect) => inspect::inspect(&inspect).await,
        Command::New(new) => new::new(&new),
        Command::Build(build) => build::build(&build).await,
        Command::Test(arguments) => test::test(&arguments).await,
        Command::Compose(compose) => compose::compose(&compose).await,
        Command::Lab(LabCommand::Show) => {
            tell::own(wreimage_lab::BUILTIN)?;
            Ok(Exit::Success)
        }
        Command::Site(SiteCommand::Check(check)) => site_check::check(&check).await,
        Command::Completions(completions) => complete(&completions).await,
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(arguments::Cli::command())
                .render(&mut page)
                .map_err(|error| Failure::part("", error))?;
            tell::own(&String::from_utf8_lossy(&page))?;
            Ok(Exit::Success)
        }
    }
}

/// Prints a completion script, with the options of a guest if one is named.
async fn complete(completions: &arguments::Completions) -> Result<Exit, Failure> {
    let mut command = arguments::Cli::command();
    if let Some(name) = &completions.guest {
        let site = completions.place.site.as_deref();
        let (_, loaded) = load_guest::load_guest(name, &[], site).await?;
        let description = loaded.guest.description();
        command = choices::Choices::of(&completions.place)
            .in_completion(guest_options::with_guest(description)?, description);
    }
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut command, "wreimage", &mut script);
    tell::own(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
