//! `wreimage lock`.

use super::{Place, Runs};
use clap::{Args, Subcommand};

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
    /// The lock's name or the host's full name, as `wreimage lock ls` lists them, or the host's short name unless it fits
    /// those of several runs
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Confirm in advance, by the short name of the host
    #[arg(long, value_name = "HOST")]
    pub yes: Option<String>,
    #[command(flatten)]
    pub place: Place,
}
