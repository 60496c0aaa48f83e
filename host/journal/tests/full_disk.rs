//! A file system that takes no more bytes. The limit is the process's: this file has one test.
#![allow(clippy::unwrap_used, clippy::panic)]

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use wreimage_journal::{Entry, Log, OpenError, Record, RunDatabase, read};

/// The longest that a file may be made from now on, in bytes; a write beyond it fails with `EFBIG`.
fn limit(bytes: Option<u64>) {
    let (_, most) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, bytes.unwrap_or(most), most).unwrap();
}

fn entry(number: u64) -> Entry {
    Entry {
        number,
        time: jiff::Timestamp::from_second(1).unwrap(),
        record: Record::Paused {
            why: "x".repeat(1000),
        },
    }
}

#[test]
fn a_full_disk_leaves_no_half_journal_and_loses_nothing_that_was_kept() {
    // Whoever breaks the limit gets a signal as well, which would end the process.
    SigSet::from(Signal::SIGXFSZ).thread_block().unwrap();
    let state = tempfile::tempdir().unwrap();
    let path = state.path();

    limit(Some(1024));
    let failed = RunDatabase::create(path, "r1").map(drop);
    limit(None);
    assert!(failed.is_err());
    let there = read(path, "r1");
    assert!(matches!(there, Err(OpenError::NoRun { .. })), "{there:?}");

    // With room again, the same run begins.
    let run = RunDatabase::create(path, "r1").unwrap();
    run.append(&entry(1), true).unwrap();
    let long = std::fs::metadata(run.path().join("journal.db-wal"))
        .unwrap()
        .len();
    // The log was made long enough for a whole run, so that a flush need not write down its length.
    assert!(long >= 512 << 10, "{long}");
    limit(Some(long));
    // Output that has no room is not there, and is not taken for kept the next time.
    let output = vec![b'x'; 2 << 20];
    assert!(run.keep(&output).is_err());
    let blobs = std::fs::read_dir(run.path().join("blobs")).unwrap();
    assert_eq!(blobs.count(), 0);
    let mut kept = 1;
    while kept < 10_000 && run.append(&entry(kept + 1), true).is_ok() {
        kept += 1;
    }
    assert!(kept > 1 && kept < 10_000, "{kept}");
    drop(run);
    assert_eq!(read(path, "r1").unwrap().len() as u64, kept);
    limit(None);
    let (run, entries) = RunDatabase::resume(path, "r1").unwrap();
    assert_eq!(entries.len() as u64, kept);
    run.append(&entry(kept + 1), true).unwrap();
    let digest = run.keep(&output).unwrap();
    let blob = std::fs::read(run.path().join("blobs").join(digest)).unwrap();
    assert_eq!(blob, output);
}
