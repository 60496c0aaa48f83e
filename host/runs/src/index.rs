//! The index of a store of runs: what their journals hold at their begin and at their end, so that a list opens no journal that
//! has not changed.
//!
//! It is a cache. Nothing is decided by it: a list and the question which runs are of a batch read it, everything that changes
//! something reads the journals. It is made anew when it is missing, of another version, or damaged.

use crate::standing::Standing;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wreimage_journal::{FileStamp, Folder, StampedRun, log_stamp};

/// The file, in the state folder.
const FILE: &str = "runs.index";

/// How the file begins. Another version of the format has another number.
const MAGIC: &str = "wreimage index of runs 1";

/// A file whose last change is more recent may change again without a new time: the clock of a file system is coarse.
const SETTLED: Duration = Duration::from_secs(2);

/// What the index has of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexedRun {
    /// The version of its journal.
    journal: FileStamp,
    /// The version of the log beside it, for a run that has not ended.
    log: Option<FileStamp>,
    /// Whether another process can continue it.
    pub resumable: bool,
    /// Where it stands when no process drives it.
    pub standing: Standing,
}

impl IndexedRun {
    /// What is to be indexed of a run that no process drives; `None` when its files may change without a new version.
    pub fn new(
        state: &Path,
        run: &StampedRun,
        standing: &Standing,
        resumable: bool,
    ) -> Option<Self> {
        let log = if standing.state.has_ended() {
            None
        } else {
            let log = log_stamp(state, &run.run);
            let stamps = [Some(&run.journal), log.as_ref()];
            if !stamps.into_iter().flatten().all(is_settled) {
                return None;
            }
            log
        };
        Some(IndexedRun {
            journal: run.journal,
            log,
            resumable,
            standing: standing.clone(),
        })
    }

    /// Whether the header of the run is still the one that was indexed.
    fn is_of(&self, run: &StampedRun) -> bool {
        self.standing.run == run.run && self.journal == run.journal
    }

    /// Whether all of it is still so, unless a process drives the run.
    pub fn is_current(&self, state: &Path, run: &StampedRun) -> bool {
        self.is_of(run)
            && (self.standing.state.has_ended() || log_stamp(state, &run.run) == self.log)
    }
}

fn is_settled(stamp: &FileStamp) -> bool {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let changed = Duration::from_nanos(u64::try_from(stamp.changed_ns).unwrap_or(0));
    now.saturating_sub(changed) > SETTLED
}

/// What the journals of a state folder held when they were read last.
#[derive(Debug, Default)]
pub(crate) struct Index(HashMap<String, IndexedRun>);

impl Index {
    /// The index of a state folder; an empty one when it is missing, of another version, or damaged.
    pub fn load(state: &Path) -> Self {
        let bytes = Folder::of_state(state).and_then(|folder| folder.read(FILE));
        Index::parse(&bytes.unwrap_or_default()).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once('\n')?;
        let sum = head.strip_prefix(MAGIC)?.trim();
        if sum != self::sum(body) {
            return None;
        }
        let runs: Vec<IndexedRun> = serde_json::from_str(body).ok()?;
        let runs = runs.into_iter().map(|it| (it.standing.run.clone(), it));
        Some(Index(runs.collect()))
    }

    /// What it has of a run whose journal is the one that was read; of a run that has not ended, only the header need be so.
    pub fn header(&self, run: &StampedRun) -> Option<&IndexedRun> {
        self.0.get(&run.run).filter(|it| it.is_of(run))
    }

    /// Takes out what it has of a run.
    pub fn take(&mut self, run: &str) -> Option<IndexedRun> {
        self.0.remove(run)
    }

    /// Whether it has no run.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps an index of these runs. Where it cannot be kept, the next list reads the journals again.
    pub fn keep(state: &Path, runs: &[&IndexedRun]) {
        let Ok(body) = serde_json::to_string(runs) else {
            return;
        };
        let text = format!("{MAGIC} {}\n{body}", sum(&body));
        let _ = Folder::of_state(state).and_then(|folder| folder.keep(FILE, text.as_bytes()));
    }
}

/// Over the runs: what was changed or cut is noticed.
fn sum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
