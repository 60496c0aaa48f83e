//! A run that is continued or ended.

use super::place::{Output, Place};
use clap::Args;

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
