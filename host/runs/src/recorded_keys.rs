//! The host keys that earlier runs of this state folder have accepted at the installer identity.

use crate::run_id::host_of;
use std::path::Path;
use std::sync::Arc;
use wreimage_engine::{RecordedKey, RecordedKeys, RunRequest, accepted_key};
use wreimage_journal::Mode;

/// The journals of so many runs of a host are searched, the newest first.
const MOST_RUNS: usize = 20;

/// The host keys that earlier runs have accepted for the host of this run, at the same site.
pub(crate) fn recorded_keys(state: &Path, request: &RunRequest) -> RecordedKeys {
    let (state, run) = (state.to_owned(), request.run.clone());
    let (host, site) = (request.host.clone(), request.site.clone());
    let mode = request.mode.clone();
    Arc::new(move |boot_id| {
        let runs = wreimage_journal::runs(&state).ok()?;
        let of_host = |id: &String| host_of(id) == Some(&host) && *id != run;
        let newest = runs.into_iter().rev().filter(of_host).take(MOST_RUNS);
        newest
            .filter_map(|id| recorded(&state, id, &site, &mode, boot_id))
            .next()
    })
}

/// What one of them has accepted. A journal that cannot be read confirms nothing.
fn recorded(
    state: &Path,
    run: String,
    site: &str,
    mode: &Mode,
    boot_id: &str,
) -> Option<RecordedKey> {
    let header = wreimage_journal::header(state, &run).ok()??;
    if header.site != site || header.mode != *mode {
        return None;
    }
    let entries = wreimage_journal::read(state, &run).ok()?;
    let host_key = accepted_key(&entries, boot_id)?;
    Some(RecordedKey { run, host_key })
}
