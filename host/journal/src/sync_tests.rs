//! Which folders are flushed, so that the names in them survive a loss of power.
#![allow(clippy::unwrap_used)]

use crate::{Folder, Log, RunDatabase};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

thread_local! {
    static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// Notes that a folder is flushed.
pub(crate) fn note(folder: &Path) {
    SYNCED.with_borrow_mut(|synced| synced.push(folder.to_owned()));
}

/// The folders below this one that are flushed meanwhile, by their paths in it.
fn synced(home: &Path, work: impl FnOnce()) -> Vec<String> {
    SYNCED.take();
    work();
    let inside = |path: PathBuf| path.strip_prefix(home).unwrap().display().to_string();
    SYNCED.take().into_iter().map(inside).collect()
}

#[test]
fn names_of_new_folders_reach_the_disk_and_a_later_run_flushes_only_its_own() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path().canonicalize().unwrap();
    let state = home.join("local/state");
    let run = |id: &str| {
        let run = RunDatabase::create(&state, id).unwrap();
        run.keep(b"output").unwrap();
    };
    let first = synced(&home, || run("r1"));
    for above in [
        "",
        "local",
        "local/state",
        "local/state/runs",
        "local/state/runs/r1",
    ] {
        assert!(first.iter().any(|it| it == above), "{above:?}: {first:?}");
    }
    let later = ["runs/r2", "runs", "runs/r2/blobs"].map(|it| format!("local/state/{it}"));
    assert_eq!(synced(&home, || run("r2")), later);

    let guests = || {
        let state = Folder::make_state(&state).unwrap();
        state.make_sub("guests").unwrap();
    };
    assert_eq!(synced(&home, guests), ["local/state"]);
    assert_eq!(synced(&home, guests), [""; 0]);
}
