//! The process that looks after the runs of this one.

use crate::arguments::Place;
use crate::output::print;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use wreimage_journal::Process;

/// Starts the process that looks after the runs of this one: see `wreimage watch`.
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
        print::line(&format!(
            "warning: nobody looks after runs that this process leaves: {error}"
        ));
    }
}
