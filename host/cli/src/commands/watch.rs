//! Looking after what a process leaves: `wreimage watch`, and how `run` starts it.

use crate::arguments::{Place, Watch};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ground::state_of;
use crate::tell;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wreimage_journal::Process;
use wreimage_runs::{PausedRuns, RunStore};
use wreimage_site::Site;

/// How often a process that drives runs is looked for, and the runs that it has left paused.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_FOR_PAUSED: Duration = Duration::from_secs(10);

/// For so long what paused runs have published is renewed after their process is gone. Nobody comes back to an older one
/// without a look at what it has left.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Starts the process that looks after the runs of this one: see [`watch`].
pub fn watch_over_this_process(place: &Place, site: &Path) {
    let own = Process::own();
    let started = std::env::current_exe().and_then(|program| {
        let mut watch = Command::new(program);
        watch
            .args(["watch", &own.id.to_string(), &own.began, "--site"])
            .arg(place.site.as_deref().unwrap_or(site))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What ends this process must not end that one.
            .process_group(0)
            .spawn()
    });
    if let Err(error) = started {
        tell::line(&format!(
            "warning: nobody looks after runs that this process leaves: {error}"
        ));
    }
}

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
