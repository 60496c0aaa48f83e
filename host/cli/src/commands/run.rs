//! `wreimage run`.

use crate::arguments::{Cli, Command, OnFailure as Wanted, Output, Run};
use crate::choices::{self, Choices};
use crate::conclude::conclude;
use crate::detach;
use crate::exit::{self, Exit};
use crate::failure::Failure;
use crate::ground;
use crate::guest_options::{self, Given};
use crate::launching;
use crate::load_guest::load_guest;
use crate::many;
use crate::session::Session;
use crate::tell;
use clap::FromArgMatches;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::Arc;
use wreimage_journal::OnFailure;
use wreimage_lab::Pace;
use wreimage_runs::{Batch, BatchRunner, HostTask, Hosts, LaunchSettings, Launcher, LoadedGuest};

/// Virtual seconds a second at which a lab run on a terminal takes about 15 s.
const TERMINAL_SPEED: f64 = 270.0;

/// Runs a guest for one host or several.
pub async fn run(named: &Given, words: Vec<OsString>) -> Result<Exit, Failure> {
    let (engine, loaded) = load_guest(&named.guest, &named.plugs, named.site.as_deref()).await?;
    let guest = &loaded.guest;
    let mut command = guest_options::with_guest(guest.description())?;
    if choices::is_help(&words) {
        command = Choices::of_words(&words).in_help(command, guest.description());
    }
    let matches = match command.try_get_matches_from_mut(words.clone()) {
        Ok(matches) => matches,
        Err(error) => return exit::clap(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return exit::clap(&error),
    };
    let (Command::Run(arguments), Some(run_matches)) =
        (cli.command, matches.subcommand_matches("run"))
    else {
        return Err(Failure::Internal(
            "the command line changed while it was read".to_owned(),
        ));
    };
    if arguments.plug != named.plugs {
        return Err(Failure::usage(
            "what is to be plugged in cannot be told from the other words; give each as --plug=FILE, before the guest",
        ));
    }
    let hosts = hosts(arguments.host.as_deref())?;
    if arguments.host_key.is_some() && hosts.names().len() > 1 {
        return Err(Failure::usage(
            "--host-key is the key of one host; name one host, or leave it out",
        ));
    }
    let yes = arguments.yes.as_deref().map(consented).transpose()?;
    let pace = pace(arguments.speed, arguments.output)?;
    if arguments.detach {
        return detach::run(&arguments, &hosts, words).await;
    }
    let backend = ground::open(&arguments.place, pace).await?;
    if arguments.speed.is_some() && backend.pace() == Pace::Real {
        return Err(Failure::usage(
            "--speed is for the lab; the time of a real site cannot be hurried",
        ));
    }
    if let Some(notice) = ground::notice(&arguments.place, &backend) {
        tell::line(&format!("note: {notice}"));
    }
    let given = guest_options::given(guest.description(), run_matches);
    let mut settings = settings(&arguments, given);
    let resumable = settings.is_resumable(&backend.mode());
    let store = launching::store(&backend)?;
    launching::prepare(&backend, &store, &arguments.place, resumable);
    if settings.no_locks && resumable {
        launching::warn_of_no_locks(&hosts);
    }
    let session = Session::new(
        arguments.output,
        arguments.strict,
        backend.pace(),
        hosts.clone(),
        yes,
    );
    let launcher = launching::launcher(&session, engine, backend, store);
    if let [host] = hosts.names() {
        let run = detach::given_run();
        let result = launcher
            .begin(&loaded, &settings, host, run.as_deref())
            .await?;
        return conclude(&session, &result);
    }
    let id = detach::given_run().unwrap_or_else(Batch::new_id);
    settings.batch = Some(id.clone());
    let backend = &launcher.environment().backend;
    let batch = Batch {
        id,
        hosts: hosts.to_string(),
        mode: backend.mode(),
        of_site: Some(backend.recorded_site()),
        guest_digest: guest.digest().to_owned(),
        settings,
        parallel: arguments.many.parallel,
        max_failures: arguments.many.max_failures,
        batch_sleep: arguments.many.batch_sleep,
    };
    run_batch(&session, launcher, loaded, batch).await
}

/// Begins with all hosts of a batch.
async fn run_batch(
    session: &Arc<Session>,
    launcher: Launcher,
    guest: LoadedGuest,
    batch: Batch,
) -> Result<Exit, Failure> {
    let mut driven = None;
    if batch.is_resumable() {
        let state = launcher.environment().store.state();
        batch.keep(state)?;
        driven = Some(batch.drive(state).await?);
        tell::line(&format!("batch {}", batch.id));
    }
    let tasks = session.hosts.names().iter().cloned().map(HostTask::Begin);
    let (launcher, guest) = (Arc::new(launcher), Arc::new(guest));
    let runner = BatchRunner::new(launcher, guest, batch.clone(), tasks)?;
    let ended = many::conclude(session, &batch, runner.work().await);
    drop(driven);
    ended
}

fn settings(arguments: &Run, given: Vec<(&str, String)>) -> LaunchSettings {
    LaunchSettings {
        options: given
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        dry_run: arguments.dry_run,
        no_locks: arguments.no_locks,
        host_key: arguments.host_key.clone(),
        take_over: arguments.take_over.clone(),
        reason: arguments.reason.clone(),
        on_failure: on_failure(arguments.on_failure),
        default_answer: arguments.asking.default_answer.clone(),
        answer_within: arguments.asking.answer_within,
        batch: None,
    }
}

/// What a failed step does, in the words of a journal.
fn on_failure(wanted: Wanted) -> OnFailure {
    match wanted {
        Wanted::Undo => OnFailure::Undo,
        Wanted::Ask => OnFailure::Ask,
        Wanted::Pause => OnFailure::Pause,
    }
}

fn hosts(given: Option<&str>) -> Result<Hosts, Failure> {
    let given = given
        .ok_or_else(|| Failure::usage("no host is named; give its short name with --host HOST"))?;
    Hosts::parse(given).map_err(Failure::usage)
}

/// The hosts for which consent is given.
pub fn consented(given: &str) -> Result<Hosts, Failure> {
    Hosts::parse(given).map_err(|why| Failure::Usage(format!("--yes: {why}")))
}

/// How fast the time of a lab passes.
pub fn pace(speed: Option<f64>, output: Output) -> Result<Pace, Failure> {
    match speed {
        Some(speed) if !speed.is_finite() || speed < 0.0 => Err(Failure::Usage(format!(
            "--speed {speed} is no speed: give a number above 0, or 0 for at once"
        ))),
        Some(0.0) => Ok(Pace::Full),
        Some(speed) => Ok(Pace::Speed(speed)),
        None if output == Output::Text && std::io::stderr().is_terminal() => {
            Ok(Pace::Speed(TERMINAL_SPEED))
        }
        None => Ok(Pace::Full),
    }
}
