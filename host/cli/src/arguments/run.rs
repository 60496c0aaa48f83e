//! `wreimage run`, and what it shares with the commands that continue runs.

use super::period::period;
use super::{HOST_OPTIONS, Output, Place};
use clap::{Args, ValueEnum};
use std::time::Duration;

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
