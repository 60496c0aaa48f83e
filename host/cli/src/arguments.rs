//! The command line, but for what a guest adds to it.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use wreimage_scenario::Kind;

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
    #[arg(long, value_enum, default_value_t = OnFailure::Undo, value_name = "WHAT", help_heading = HOST_OPTIONS)]
    pub on_failure: OnFailure,
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

/// `wreimage completions`.
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
    /// Complete this guest's options of `run` as well, with the releases that the site file names or that its command listed
    /// last: print the script again when they change
    #[arg(long, value_name = "GUEST")]
    pub guest: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage new`.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// The new folder; its last component is the guest's name: lower-case words joined by `-`
    #[arg(value_name = "NAME")]
    pub folder: PathBuf,
    /// The language to write the guest in
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub lang: Language,
    /// Begin a component of your site to plug into `reimage`, instead of a guest
    #[arg(long)]
    pub plug: bool,
}

/// The languages that guests are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Compiled by cargo; small and fast.
    Rust,
    /// Packed with its interpreter by `componentize-py`.
    Python,
    /// Packed with its interpreter by `componentize-qjs`.
    Js,
}

/// `wreimage build`.
#[derive(Debug, Clone, Args)]
#[command(after_help = BUILD_HELP)]
pub struct Build {
    /// The guest folder: with Cargo.toml (Rust), guest.py (Python) or guest.js (JavaScript)
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
    /// Where the component goes; by default NAME.wasm in the folder
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How long each program that is started may take, such as 10m
    #[arg(long, value_name = "TIME", value_parser = period, default_value = "15m")]
    pub timeout: Duration,
}

/// Where `wreimage build` finds its programs.
const BUILD_HELP: &str = "\
Rust is compiled by cargo for wasm32-unknown-unknown. Python is packed by componentize-py and JavaScript by componentize-qjs:
the one that $WREIMAGE_COMPONENTIZE_PY or $WREIMAGE_COMPONENTIZE_QJS names, else the one in .venv, venv or node_modules of the
guest folder or of one above it, in $VIRTUAL_ENV, or on the path. When one is missing, the line that installs it is printed.";

/// What becomes of questions that nobody answers. A resumed run does not remember it; a batch does.
#[derive(Debug, Clone, Default, Args)]
pub struct Asking {
    /// The answer to questions that offer it, when nobody gives one in time; may be given several times, the first that
    /// fits counts; a run that is resumed has to be given it again
    #[arg(long, value_name = "CHOICE", requires = "answer_within", help_heading = HOST_OPTIONS)]
    pub default_answer: Vec<String>,
    /// How long a question waits before the default answer is taken, such as 30m
    #[arg(long, value_name = "TIME", value_parser = period, requires = "default_answer", help_heading = HOST_OPTIONS)]
    pub answer_within: Option<Duration>,
}

/// `--on-failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnFailure {
    /// End, and take back.
    Undo,
    /// Ask.
    Ask,
    /// Pause.
    Pause,
}

/// How several hosts go on beside each other.
#[derive(Debug, Clone, Args)]
pub struct Many {
    /// Of several hosts, how many are worked on at the same time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..), help_heading = HOST_OPTIONS)]
    pub parallel: u16,
    /// Begin with no further host when so many runs have not come to a good end
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..), help_heading = HOST_OPTIONS)]
    pub max_failures: u16,
    /// Between the beginnings of two runs, wait so long, such as 30s
    #[arg(long, value_name = "TIME", value_parser = period, help_heading = HOST_OPTIONS)]
    pub batch_sleep: Option<Duration>,
}

/// The same for a batch that is gone on with; what is not given stays as it was.
#[derive(Debug, Clone, Default, Args)]
pub struct ManyAgain {
    /// Of a batch, how many hosts are worked on at the same time from now on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: Option<u16>,
    /// Of a batch, begin with no further host when so many runs have not come to a good end from now on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_failures: Option<u16>,
    /// Of a batch, wait so long between the beginnings of two runs, such as 30s
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub batch_sleep: Option<Duration>,
}

impl ManyAgain {
    /// Whether any of it is given.
    pub fn is_given(&self) -> bool {
        self.parallel.is_some() || self.max_failures.is_some() || self.batch_sleep.is_some()
    }
}

/// `30s`, `10m`, `2h`.
fn period(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("give a time such as 30s, 10m or 2h".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "give a time such as 30s, 10m or 2h".to_owned())?;
    let period = Duration::from_secs(number.saturating_mul(seconds));
    if period > LONGEST {
        return Err("a week is the longest time".to_owned());
    }
    Ok(period)
}

/// A run, and how to go on with it.
#[derive(Debug, Clone, Args)]
pub struct Going {
    /// The id of the run, or so much of its end or begin that only one run has it; or the id of a batch: all of its runs
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub place: Place,
    /// How to tell what happens: text for people, json for one event per line on stdout
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
    /// Play a lab run at this many virtual seconds a second; 0 is at once
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f64>,
    /// Give consent in advance, should the run not have it yet: the host, or exactly the hosts of the batch
    #[arg(long, value_name = "HOSTS")]
    pub yes: Option<String>,
    /// Continue although the site file is not the one by which the run was begun; at a terminal, it is asked
    #[arg(long)]
    pub changed_site: bool,
    /// Exit with 10 when there were warnings
    #[arg(long)]
    pub strict: bool,
}

/// `wreimage resume`.
#[derive(Debug, Clone, Args)]
pub struct Resume {
    #[command(flatten)]
    pub going: Going,
    /// The answer to the question that the run waits for
    #[arg(long, value_name = "CHOICE")]
    pub answer: Option<String>,
    /// Do the step that failed once more
    #[arg(long, conflicts_with_all = ["answer", "skip", "abort"])]
    pub retry: bool,
    /// Go on without the step that failed
    #[arg(long, conflicts_with_all = ["answer", "abort"])]
    pub skip: bool,
    /// End the run, and take back what must not stay
    #[arg(long, conflicts_with = "answer")]
    pub abort: bool,
    #[command(flatten)]
    pub asking: Asking,
    #[command(flatten)]
    pub many: ManyAgain,
    /// Go on in the background; `wreimage attach` shows the run
    #[arg(long)]
    pub detach: bool,
    /// Go on with another guest file, if it does what the journal says
    #[arg(long, value_name = "FILE")]
    pub guest: Option<String>,
}

/// `wreimage cleanup`.
#[derive(Debug, Clone, Args)]
pub struct Cleanup {
    #[command(flatten)]
    pub going: Going,
}

/// `wreimage answer`.
#[derive(Debug, Clone, Args)]
pub struct Answer {
    /// The run's id, or a part that only one run has
    #[arg(value_name = "RUN")]
    pub run: String,
    /// One of the answers that the question offers
    #[arg(value_name = "CHOICE")]
    pub choice: String,
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage watch`.
#[derive(Debug, Clone, Args)]
pub struct Watch {
    /// Id of the process
    #[arg(value_name = "PROCESS")]
    pub process: u32,
    /// When it began
    #[arg(value_name = "BEGAN")]
    pub began: String,
    /// The site file
    #[arg(long, value_name = "FILE")]
    pub site: PathBuf,
}

/// `wreimage cancel`.
#[derive(Debug, Clone, Args)]
pub struct Cancel {
    /// The run's id, or a part that only one run has; or the id of a batch: all of its runs, and no further one begins
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage attach`.
#[derive(Debug, Clone, Args)]
pub struct Attach {
    /// The run's id, or a part that only one run has; or the id of a batch: all of its runs
    #[arg(value_name = "RUN")]
    pub run: String,
    #[command(flatten)]
    pub place: Place,
    /// How to tell what happens: text for people, json for one event per line on stdout
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
    /// Exit with 10 when there were warnings
    #[arg(long)]
    pub strict: bool,
}

/// `wreimage lock`.
#[derive(Debug, Clone, Subcommand)]
pub enum LockCommand {
    /// List the locks of this state folder and the leases of the site: who holds which, since when, and how the holder is
    Ls(Runs),
    /// Take the lock and the lease of a host away from their holder, who changes nothing any more from then on
    Break(BreakLock),
    /// Create the folder of leases, once for each install server
    Init(InitLease),
}

/// `wreimage lock init`.
#[derive(Debug, Clone, Args)]
pub struct InitLease {
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage lock break`.
#[derive(Debug, Clone, Args)]
pub struct BreakLock {
    /// The lock's name, or the host, as `wreimage lock ls` lists it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Confirm in advance, by the short name of the host
    #[arg(long, value_name = "HOST")]
    pub yes: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

/// `wreimage runs`.
#[derive(Debug, Clone, Args)]
pub struct Runs {
    #[command(flatten)]
    pub place: Place,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// `wreimage show`.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// The run's id, or a part that only one run has; or the id of a batch: where each of its hosts stands
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Show every call as well
    #[arg(long)]
    pub calls: bool,
    #[command(flatten)]
    pub place: Place,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// `wreimage logs`.
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// The run's id, or a part that only one run has
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Go on until the run ends
    #[arg(short, long)]
    pub follow: bool,
    #[command(flatten)]
    pub place: Place,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// The heading under which the host's own options stand.
pub const HOST_OPTIONS: &str = "Options of the host";

/// Where a command works.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Work in the simulated data centre: the built-in world, or one of your own; `wreimage lab show` prints one to
    /// begin with
    #[arg(long, value_name = "FILE", require_equals = true, conflicts_with = "site", help_heading = HOST_OPTIONS)]
    pub lab: Option<Option<PathBuf>>,
    /// Keep the lab's world in this directory: it goes on there with the next run, and outlives a process that is killed
    #[arg(long, value_name = "DIR", conflicts_with = "site", help_heading = HOST_OPTIONS)]
    pub world: Option<PathBuf>,
    /// The site file. Without it $WREIMAGE_SITE, then wreimage/site.toml in the user's configuration, then
    /// /etc/wreimage/site.toml; with none of them the lab is used
    #[arg(long, value_name = "FILE", help_heading = HOST_OPTIONS)]
    pub site: Option<PathBuf>,
}

/// How to tell what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One event per line.
    Json,
}

/// `wreimage inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The guest: a path or a name, as for `run`
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// Plug a component of the site into it first; may be given several times
    #[arg(long, value_name = "FILE")]
    pub plug: Vec<String>,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// `wreimage test`.
#[derive(Debug, Args)]
pub struct Test {
    /// The guest: a path or a name, as for `run`
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// Plug a component of the site into it, as for `run`; may be given several times
    #[arg(long, value_name = "FILE")]
    pub plug: Vec<String>,
    /// Scenarios: files, folders with a scenario.toml, or folders of such; by default those in `scenarios` beside the
    /// guest, or here
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<PathBuf>,
    /// Play only those whose name, or in a sweep whose case, holds this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Play the scenario once for every call that it makes and everything that can happen to the call, and check the
    /// invariants. Without SCENARIO, the one that the guest's invariants name
    #[arg(long)]
    pub sweep: bool,
    /// Of the sweep, play only the cases of this kind; may be given several times. crash: the process dies around a call.
    /// fault: a call fails, or the operator cancels. partial: half of a call's effect, the clock, the operator at a question.
    /// power: the controller loses power, and records that were not synced
    #[arg(long, value_name = "KIND", requires = "sweep",
        value_parser = PossibleValuesParser::new(Kind::WORDS).try_map(|word| word.parse::<Kind>()))]
    pub kind: Vec<Kind>,
    /// Of the sweep, play only this case, such as 'ipmi.set-power#1 timeout'; may be given several times
    #[arg(long, value_name = "CASE", requires = "sweep")]
    pub case: Vec<String>,
    /// More that must hold, besides GUEST.invariants.toml beside the guest; may be given several times
    #[arg(long, value_name = "FILE")]
    pub invariants: Vec<PathBuf>,
    /// How to tell the results: text for people, json for one event per line
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
    /// Write the results to this file as well, in JUnit's format
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Keep the journal of each scenario that has no snapshot yet; later runs are compared with it
    #[arg(long, conflicts_with = "sweep")]
    pub record: bool,
    /// Keep the journals as they are now as the snapshots
    #[arg(long, conflicts_with = "sweep")]
    pub accept: bool,
    /// How many are played at the same time; by default as many as there are processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
}

/// `wreimage compose`.
#[derive(Debug, Args)]
pub struct Compose {
    /// The guest: a path or a name, as for `run`
    #[arg(value_name = "GUEST")]
    pub guest: String,
    /// The component to plug in, by path or name; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub plug: Vec<String>,
    /// The file to write; without it the names of all, such as reimage+site-checks.wasm, in the current folder
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `wreimage lab`.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Print the built-in world: a start for a world of your own, which `run --lab=FILE` takes
    Show,
}

/// `wreimage site`.
#[derive(Debug, Subcommand)]
pub enum SiteCommand {
    /// Read the site file and its secrets, and try every read-only way to each system
    Check(SiteCheck),
}

/// `wreimage site check`.
#[derive(Debug, Args)]
pub struct SiteCheck {
    /// The site file, as for `run`
    #[arg(long, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Try the systems of this host as well
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// The format
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}
