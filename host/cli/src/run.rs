//! `wreimage run`.

use crate::arguments::{Cli, Command, Output};
use crate::drive::{self, Manner};
use crate::exit::{self, Exit, Failure};
use crate::files;
use crate::guest_options;
use crate::lock::HostLock;
use crate::surroundings::{self, Binding, load_guest};
use crate::tell;
use clap::FromArgMatches;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;
use wreimage_engine::{OptionValues, RunRequest};
use wreimage_journal::{Holder, RunDatabase};
use wreimage_lab::Pace;

/// Virtual seconds a second at which a lab run on a terminal takes about 15 s.
const TERMINAL_SPEED: f64 = 270.0;

/// The option by which a guest names the run's task; the host binds `phabricator` to it.
pub const TASK: &str = "task";

/// Runs a guest for one host.
pub async fn run(guest_name: &str, words: Vec<OsString>) -> Result<Exit, Failure> {
    let (engine, guest, bytes) = load_guest(guest_name).await?;
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
    let pace = pace(arguments.speed, arguments.output)?;
    let world = match &arguments.place.world {
        None => None,
        Some(folder) => Some(absolute(folder)?),
    };
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
    request.actor = drive::actor();
    request.controller = drive::controller();
    request.dry_run = arguments.dry_run;
    request.grants = place.grants.clone();
    request.absent = std::mem::take(&mut place.absent);
    request.limits = place.limits;
    request.console = place.console.take();
    if let Some(tags) = place.protected_tags.take() {
        request.protected_tags = tags;
    }
    request.reason = arguments.reason.clone();
    request.world = world;
    let resumable = !arguments.dry_run && (place.pace == Pace::Real || request.world.is_some());
    request.lock = (resumable && !arguments.no_locks).then(|| lock_name(&request));
    if resumable && arguments.no_locks {
        tell::line(&format!(
            "WARNING: --no-locks: nothing keeps another run from {host} while this one is at work"
        ));
    }
    let lock = lock(&place.state, &request)?;
    let journal = RunDatabase::create(&place.state, &request.run)
        .map_err(|error| Failure::usage(error.to_string()))?;
    files::pin_guest(&place.state, guest.digest(), &bytes)?;
    let manner = Manner {
        output: arguments.output,
        strict: arguments.strict,
        yes: arguments.yes,
        resumable,
        lock,
    };
    drive::drive(&engine, &guest, request, place, journal, None, manner).await
}

/// What the lock of a run's host is called: at a site by its name, in a lab by its world.
fn lock_name(request: &RunRequest) -> String {
    let place = request.world.as_ref().unwrap_or(&request.site);
    format!("{place}/{}", request.host)
}

/// Takes the lock that a run is to have.
pub fn lock(state: &Path, request: &RunRequest) -> Result<Option<HostLock>, Failure> {
    let holder = Holder {
        run: request.run.clone(),
        actor: drive::actor(),
        controller: drive::controller(),
    };
    let name = request.lock.as_deref();
    name.map(|name| HostLock::take(state, name, &holder))
        .transpose()
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

/// As a path that means the same wherever the run is resumed.
fn absolute(folder: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(folder)
        .map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
    path.into_os_string()
        .into_string()
        .map_err(|path| Failure::usage(format!("{path:?} is not text")))
}

/// How fast the time of a lab passes.
pub fn pace(speed: Option<f64>, output: Output) -> Result<Pace, Failure> {
    match speed {
        Some(speed) if !speed.is_finite() || speed < 0.0 => Err(Failure::usage(format!(
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
