//! `wreimage run`.

use crate::arguments::{Cli, Command, Output, Run};
use crate::exit::{self, Exit, Failure};
use crate::face::{self, Face};
use crate::guest_options;
use crate::prompt::Terminal;
use crate::surroundings::{self, Binding, Surroundings, load_guest};
use crate::tell;
use clap::FromArgMatches;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wreimage_engine::{Cancel, OptionValues, Report, RunError, RunRequest};
use wreimage_journal::{Record, RunDirectory};
use wreimage_lab::Pace;

/// Virtual seconds a second at which a lab run on a terminal takes about 15 s.
const TERMINAL_SPEED: f64 = 270.0;

/// The option by which a guest names the run's task; the host binds `phabricator` to it.
const TASK: &str = "task";

/// Runs a guest for one host.
pub async fn run(guest_name: &str, words: Vec<OsString>) -> Result<Exit, Failure> {
    let (engine, guest) = load_guest(guest_name).await?;
    let mut command = guest_options::with_guest(guest.description())?;
    let matches = match command.try_get_matches_from_mut(words) {
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
        return Err(Failure::internal(
            "the command line changed while it was read",
        ));
    };
    let host = host_name(arguments.host.as_deref())?;
    let pace = pace(&arguments)?;
    let given = guest_options::given(guest.description(), run_matches);
    let task = given.iter().find(|(name, _)| *name == TASK);
    let binding = Binding {
        host: host.clone(),
        task: task.map(|(_, task)| task_id(task)).transpose()?,
    };
    let mut place = surroundings::choose(&arguments.place, &guest, &binding, pace).await?;
    if arguments.speed.is_some() && place.pace == Pace::Real {
        return Err(Failure::usage(
            "--speed is for the lab; the time of a real site cannot be hurried",
        ));
    }
    if let Some(notice) = &place.notice {
        tell::line(&format!("note: {notice}"));
    }
    let options = OptionValues::check(guest.description(), given, &place.absent)
        .map_err(|error| Failure::usage(error.to_string()))?;

    let mut request = RunRequest::new(&host, &place.site);
    request.options = options;
    request.actor = actor();
    request.controller = controller();
    request.dry_run = arguments.dry_run;
    request.grants = place.grants.clone();
    request.absent = std::mem::take(&mut place.absent);
    request.limits = place.limits;
    request.console = place.console.take();
    if let Some(tags) = place.protected_tags.take() {
        request.protected_tags = tags;
    }
    let directory = RunDirectory::create(&place.state, &request.run)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let recorded_at = directory.path().to_owned();

    let face = face::choose(arguments.output, place.pace);
    let touched = Arc::new(AtomicBool::new(false));
    let services = services(place, directory, &face, &touched, &arguments);
    listen_for_signals(services.cancel.clone(), face.clone(), touched);
    let report = wreimage_engine::run(&engine, &guest, request, services).await;
    face.finish();
    let report = report.map_err(|error| match error {
        RunError::NotGranted(why) => Failure::refused(why),
        RunError::Types(why) => {
            Failure::refused(format!("the guest does not fit this host: {why}"))
        }
        RunError::Record(error) => Failure::internal(error.to_string()),
        RunError::Host(why) => Failure::internal(why),
    })?;
    if arguments.output == Output::Text {
        crate::print(&tell::plain(&face::report(&report)))?;
    }
    tell_record(&report, &recorded_at);
    Ok(Exit::of_run(
        report.ending.exit_code,
        &report.ending.outcome,
        arguments.strict,
    ))
}

fn services(
    place: Surroundings,
    directory: RunDirectory,
    face: &Arc<dyn Face>,
    touched: &Arc<AtomicBool>,
    arguments: &Run,
) -> wreimage_engine::Services {
    let terminal = Arc::new(Terminal::new(face.clone(), arguments.yes.clone()));
    let mut services = place.services;
    services.log = Arc::new(directory);
    let (listening, touched) = (face.clone(), touched.clone());
    // What a rehearsal changes, it changes in its twin.
    let rehearsal = arguments.dry_run;
    services.listener = Some(Arc::new(move |entry| {
        if !rehearsal && matches!(entry.record, Record::Intent(_)) {
            touched.store(true, Ordering::SeqCst);
        }
        listening.entry(entry);
    }));
    services.operator = terminal.clone();
    services.consent = terminal;
    services
}

/// A short name: letters, digits, dashes.
fn host_name(given: Option<&str>) -> Result<String, Failure> {
    let host = given
        .ok_or_else(|| Failure::usage("no host is named; give its short name with --host HOST"))?;
    let fits = |name: &str| {
        !name.is_empty()
            && name.len() <= 63
            && !name.starts_with('-')
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    match host.split_once('.') {
        Some((short, domain)) if fits(short) && !domain.is_empty() => Err(Failure::usage(format!(
            "`{host}` is a full name: give the short one, `--host {short}`"
        ))),
        None if fits(host) => Ok(host.to_owned()),
        _ => Err(Failure::usage(format!(
            "`{host}` is no host name: lower-case letters, digits and dashes, at most 63"
        ))),
    }
}

fn pace(arguments: &Run) -> Result<Pace, Failure> {
    match arguments.speed {
        Some(speed) if !speed.is_finite() || speed < 0.0 => Err(Failure::usage(format!(
            "--speed {speed} is no speed: give a number above 0, or 0 for at once"
        ))),
        Some(0.0) => Ok(Pace::Full),
        Some(speed) => Ok(Pace::Speed(speed)),
        None if arguments.output == Output::Text && std::io::stderr().is_terminal() => {
            Ok(Pace::Speed(TERMINAL_SPEED))
        }
        None => Ok(Pace::Full),
    }
}

/// `phabricator` is bound to nothing but the id of a task.
fn task_id(given: &str) -> Result<String, Failure> {
    let digits = given.strip_prefix('T').unwrap_or_default();
    let is_task = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if is_task {
        return Ok(given.to_owned());
    }
    let shown: String = given.chars().take(80).collect();
    Err(Failure::usage(format!(
        "--{TASK} takes the id of a task such as T12345, not {shown:?}; nothing was touched"
    )))
}

/// The person, also behind sudo.
fn actor() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}

fn controller() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// The first Ctrl-C, SIGTERM or hang-up cancels in order; the second ends the process where it stands.
fn listen_for_signals(cancel: Cancel, face: Arc<dyn Face>, touched: Arc<AtomicBool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return;
    };
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            if first {
                // Before anything is said: a terminal that is gone must not delay it.
                cancel.cancel();
                face.line(
                    "cancelling: the call that is under way ends first, then what must not stay is taken back; again to \
                     stop at once",
                );
            } else if touched.load(Ordering::SeqCst) {
                tell::line(
                    "stopped at once: nothing was taken back; the record of the run says what was done",
                );
                std::process::exit(21);
            } else {
                tell::line("stopped at once: nothing was touched");
                std::process::exit(30);
            }
        }
    });
}

fn tell_record(report: &Report, path: &std::path::Path) {
    tell::line(&format!("record of {}: {}", report.run, path.display()));
}
