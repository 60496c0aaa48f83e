//! `wreimage run`.

use crate::arguments::Output;
use crate::arguments::{Asking, HOST_OPTIONS, Many, Place, consented, pace};
use crate::ending;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::print;
use crate::output::trace;
use crate::setup::backend;
use crate::setup::choices::{self, Choices};
use crate::setup::detach;
use crate::setup::guest_options::{self, Given};
use crate::setup::launching;
use crate::setup::load_guest::load_guest;
use crate::terminal::batch_end;
use crate::terminal::conclude::conclude;
use crate::terminal::session::Session;
use clap::{Args, ValueEnum};
use clap::{Command, FromArgMatches};
use std::ffi::OsString;
use std::sync::Arc;
use wreimage_journal::OnFailure;
use wreimage_lab::Pace;
use wreimage_runs::{Batch, BatchRunner, HostTask, Hosts, LaunchSettings, Launcher, LoadedGuest};

/// `wreimage run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// The guest: a path, or a name that is looked up in $WREIMAGE_GUESTS, the user's data directory and the
    /// installation's share/wreimage/guests
    #[arg(value_name = "GUEST")]
    pub guest: Option<String>,
    /// Plug a component of the site into the guest, by path or name as for GUEST; may be given several times. `wreimage compose`
    /// writes the two as one file
    #[arg(long, value_name = "FILE", help_heading = HOST_OPTIONS)]
    pub plug: Vec<String>,
    /// The host, by its short name; or several, such as host[1001-1004,1006] or host1001,db2003: each gets a run of its
    /// own
    #[arg(long, value_name = "HOSTS", help_heading = HOST_OPTIONS)]
    pub host: Option<String>,
    #[command(flatten)]
    pub place: Place,
    /// Rehearse: reads are real up to the first change, from there on the run goes through in a simulated copy
    #[arg(long, help_heading = HOST_OPTIONS)]
    pub dry_run: bool,
    /// Give consent in advance: the host, or exactly the hosts, that --host names
    #[arg(long, value_name = "HOSTS", help_heading = HOST_OPTIONS)]
    pub yes: Option<String>,
    /// How to tell what happens: text for people, json for one event per line on stdout
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT", help_heading = HOST_OPTIONS)]
    pub output: Output,
    /// Play a lab run at this many virtual seconds a second; 0 is at once. By default a run on a terminal takes about
    /// 15 s, elsewhere it is at once
    #[arg(long, value_name = "FACTOR", help_heading = HOST_OPTIONS)]
    pub speed: Option<f64>,
    /// Exit with 10 when there were warnings
    #[arg(long, help_heading = HOST_OPTIONS)]
    pub strict: bool,
    /// Do not lock the host against other runs of this state folder. Two runs on one host can destroy each other's work. The
    /// lease on the install server keeps other runs away all the same
    #[arg(long, help_heading = HOST_OPTIONS)]
    pub no_locks: bool,
    /// Accept this host key of the host though it is not known here, in the form `SHA256:…`, and no other unknown one:
    /// compare it with what `ssh-keygen -lf` prints at the host's console. Needed with `--yes` when nothing else confirms the
    /// key of a system that an earlier run has installed. For one host
    #[arg(long, value_name = "FINGERPRINT", value_parser = fingerprint, help_heading = HOST_OPTIONS)]
    pub host_key: Option<String>,
    /// Take the host over from this run, which waits or whose controller died: its claim must be stale. May be given several
    /// times, for several hosts
    #[arg(long, value_name = "RUN", help_heading = HOST_OPTIONS)]
    pub take_over: Vec<String>,
    /// What a step that fails does: `undo` ends the run as the guest was written to, and takes back what must not stay;
    /// `ask` asks whether to retry it, skip it or abort, and pauses when nobody is there; `pause` pauses at once, here too
    #[arg(long, value_enum, default_value_t = Wanted::Undo, value_name = "WHAT", help_heading = HOST_OPTIONS)]
    pub on_failure: Wanted,
    #[command(flatten)]
    pub asking: Asking,
    #[command(flatten)]
    pub many: Many,
    /// Go on in the background: the terminal is free at once, and `wreimage attach` shows the run. Needs --yes
    #[arg(long, help_heading = HOST_OPTIONS)]
    pub detach: bool,
    /// Why it is started; kept in the journal
    #[arg(long, value_name = "TEXT", help_heading = HOST_OPTIONS)]
    pub reason: Option<String>,
}

/// A fingerprint as OpenSSH prints it.
fn fingerprint(text: &str) -> Result<String, String> {
    let digest = text.strip_prefix("SHA256:").unwrap_or_default();
    let is_digest = (1..=64).contains(&digest.len())
        && digest
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    is_digest.then(|| text.to_owned()).ok_or_else(|| {
        "a fingerprint is `SHA256:` and what `ssh-keygen -lf` prints behind it".to_owned()
    })
}

/// `--on-failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// End, and take back.
    Undo,
    /// Ask.
    Ask,
    /// Pause.
    Pause,
}

/// Runs a guest for one host or several.
pub async fn run(cli: Command, named: &Given, words: Vec<OsString>) -> Result<Exit, Failure> {
    let (engine, loaded) = load_guest(&named.guest, &named.plugs, named.site.as_deref()).await?;
    let guest = &loaded.guest;
    let mut command = guest_options::with_guest(cli.clone(), guest.description())?;
    if choices::is_help(&words) {
        command = Choices::of_words(&words).in_help(command, guest.description());
    }
    let matches = match command.try_get_matches_from_mut(words.clone()) {
        Ok(matches) => matches,
        Err(error) => return ending::clap(&cli, &error),
    };
    trace::start(&matches)?;
    let Some(run_matches) = matches.subcommand_matches("run") else {
        return Err(Failure::Internal(
            "the command line changed while it was read".to_owned(),
        ));
    };
    let arguments = match Run::from_arg_matches(run_matches) {
        Ok(arguments) => arguments,
        Err(error) => return ending::clap(&cli, &error),
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
        let has_consent = arguments.yes.is_some() || arguments.dry_run;
        return detach::run(&arguments.place, &hosts, has_consent, words).await;
    }
    let backend = backend::open(&arguments.place, pace).await?;
    if arguments.speed.is_some() && backend.pace() == Pace::Real {
        return Err(Failure::usage(
            "--speed is for the lab; the time of a real site cannot be hurried",
        ));
    }
    if let Some(notice) = backend::notice(&arguments.place, &backend) {
        print::line(&format!("note: {notice}"));
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
        print::line(&format!("batch {}", batch.id));
    }
    let tasks = session.hosts.names().iter().cloned().map(HostTask::Begin);
    let (launcher, guest) = (Arc::new(launcher), Arc::new(guest));
    let runner = BatchRunner::new(launcher, guest, batch.clone(), tasks)?;
    let ended = batch_end::conclude(session, &batch, runner.work().await);
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
