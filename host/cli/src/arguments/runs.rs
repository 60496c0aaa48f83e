//! Commands about runs that other processes drive, or that have ended.

use super::{Output, Place};
use clap::Args;
use std::path::PathBuf;

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
