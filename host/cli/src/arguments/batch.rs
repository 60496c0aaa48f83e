//! How the runs of a batch go on beside each other.

use super::period::period;
use super::place::HOST_OPTIONS;
use clap::Args;
use std::time::Duration;

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
