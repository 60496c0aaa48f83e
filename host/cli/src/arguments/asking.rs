//! What becomes of questions that nobody answers.

use super::period::period;
use super::place::HOST_OPTIONS;
use clap::Args;
use std::time::Duration;

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
