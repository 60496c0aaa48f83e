//! `wreimage watch`: looks after what a process leaves.

use crate::arguments::Place;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::setup::backend::state_of;
use clap::Args;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wreimage_journal::Process;
use wreimage_runs::{PausedRuns, RunStore};
use wreimage_site::Site;

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

/// How often a process that drives runs is looked for, and the runs that it has left paused.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_FOR_PAUSED: Duration = Duration::from_secs(10);

/// For so long what paused runs have published is renewed after their process is gone. Nobody comes back to an older one
/// without a look at what it has left.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// `wreimage watch`: renews what runs that a process has left paused have published; when the process is gone, tells of those
/// that it has lost. Ends when the process is gone and none of its runs is paused any more, or after [`LONGEST`].
pub async fn watch(arguments: &Watch) -> Result<Exit, Failure> {
    // As it is now: whoever changes it later may not have come to an end with that.
    let site = Site::load(&arguments.site)?;
    let state = state_of(&Place {
        lab: None,
        world: None,
        site: Some(arguments.site.clone()),
    })?;
    let process = Process {
        id: arguments.process,
        began: arguments.began.clone(),
    };
    let store = RunStore::new(state);
    let mut paused = PausedRuns::left_by(store.clone(), process.clone());
    let mut next = Instant::now();
    while process.lives() {
        if site.renews() && Instant::now() >= next {
            paused.renew(&site).await;
            next = Instant::now() + LOOK_FOR_PAUSED;
        }
        tokio::time::sleep(LOOK).await;
    }
    let notified = wreimage_runs::notify_lost(&site, &store, &process).await;
    let end = Instant::now() + LONGEST;
    while site.renews() && Instant::now() < end && paused.renew(&site).await {
        tokio::time::sleep(LOOK_FOR_PAUSED).await;
    }
    notified?;
    Ok(Exit::Success)
}
