//! Which records of runs are kept.

use crate::look::{began, ids};
use jiff::Timestamp;
use std::path::Path;
use wreimage_journal::Record;

/// Removes the records of runs that have ended, but for those of the last so many days and the last so many runs. Nobody
/// else's business is disturbed: what cannot be removed stays.
pub fn forget(state: &Path, days: Option<u32>, runs: Option<u32>) {
    if days.is_none() && runs.is_none() {
        return;
    }
    let Ok(all) = ids(state) else { return };
    let oldest =
        days.map(|days| Timestamp::now() - jiff::SignedDuration::from_hours(24 * i64::from(days)));
    let kept = runs.map_or(all.len(), |runs| {
        usize::try_from(runs).unwrap_or(usize::MAX)
    });
    for (index, id) in all.iter().rev().enumerate() {
        let is_old = oldest.is_some_and(|oldest| began(id).is_some_and(|began| began < oldest));
        let is_much = runs.is_some() && index >= kept;
        if !is_old && !is_much {
            continue;
        }
        let Ok(None) = wreimage_journal::driver(state, id) else {
            continue;
        };
        let ended = wreimage_journal::read(state, id).is_ok_and(|entries| {
            matches!(
                entries.last().map(|entry| &entry.record),
                Some(Record::Finished(_))
            )
        });
        if ended {
            let _ = std::fs::remove_dir_all(state.join("runs").join(id));
            let _ = std::fs::remove_file(state.join("detached").join(format!("{id}.log")));
        }
    }
}
