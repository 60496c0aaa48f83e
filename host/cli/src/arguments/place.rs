//! Where a command works, and how it prints.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// The heading under which the host's own options stand.
pub const HOST_OPTIONS: &str = "Options of the host";

/// Where a command works.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Work in the simulated data centre: the built-in world, or one of your own; `wreimage lab show` prints one to
    /// begin with
    #[arg(long, value_name = "FILE", require_equals = true, conflicts_with = "site", help_heading = HOST_OPTIONS)]
    pub lab: Option<Option<PathBuf>>,
    /// Keep the lab's world in this directory: the next run continues in it, and it outlives a process that is killed
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
