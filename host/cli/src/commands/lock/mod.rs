//! `wreimage lock`: the locks of this state folder and the leases on the install server.

mod break_lock;
mod broken;
mod init;
mod ls;

use crate::exit::Exit;
use crate::failure::Failure;
use break_lock::BreakLock;
use clap::Subcommand;
use init::InitLease;

/// `wreimage lock`.
#[derive(Debug, Clone, Subcommand)]
pub enum LockCommand {
    /// List the locks of this state folder and the leases of the site: who holds which, since when, and how the holder is
    Ls(ls::Ls),
    /// Take the lock and the lease of a host away from their holder, who changes nothing any more from then on
    Break(BreakLock),
    /// Create the folder of leases, once for each install server
    Init(InitLease),
}

/// Does it.
pub async fn lock(command: &LockCommand) -> Result<Exit, Failure> {
    match command {
        LockCommand::Ls(which) => ls::list(which).await,
        LockCommand::Break(which) => break_lock::break_lock(which).await,
        LockCommand::Init(place) => init::init(place).await,
    }
}
