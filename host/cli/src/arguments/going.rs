//! Commands that continue or end runs.

use super::period::period;
use super::{Asking, Output, Place};
use clap::Args;
use std::time::Duration;

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
