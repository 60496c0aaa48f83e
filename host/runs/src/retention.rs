//! Which records of runs are kept.

use crate::batch::Batch;
use crate::run_id::started_at;
use crate::store::{RunOrigin, RunStore};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use wreimage_journal::Record;
use wreimage_site::Retention;

/// Removes the records of runs that have ended, but for those of the last so many days and the last so many runs: of the runs
/// that `is_ours` accepts, the others are nobody's business here. What cannot be read or removed stays.
pub fn forget(store: &RunStore, kept: &Retention, is_ours: impl Fn(&RunOrigin) -> bool) {
    let Ok(all) = store.ids() else { return };
    let oldest = kept
        .days
        .map(|days| Timestamp::now() - jiff::SignedDuration::from_hours(24 * i64::from(days)));
    let most = kept.runs.map_or(usize::MAX, |runs| {
        usize::try_from(runs).unwrap_or(usize::MAX)
    });
    let is_old =
        |id: &str| oldest.is_some_and(|oldest| started_at(id).is_some_and(|it| it < oldest));
    // Most times there is nothing to do, and no journal is opened to find that out: a tenth more than are kept may be there.
    if all.len() <= most.saturating_add(most / 10) && !all.iter().any(|id| is_old(id)) {
        return;
    }
    let Ok(all) = store.origins() else { return };
    let ours = all.into_iter().filter(|origin| is_ours(origin));
    let mut alone = Vec::new();
    let mut batches: BTreeMap<String, Vec<Aged>> = BTreeMap::new();
    for (index, origin) in ours.enumerate() {
        let is_much = index >= most;
        let aged = Aged {
            is_due: is_much || is_old(&origin.run),
            id: origin.run,
            host: origin.host,
            resumable: origin.resumable,
        };
        match origin.batch {
            Some(batch) => batches.entry(batch).or_default().push(aged),
            None => alone.push(aged),
        }
    }
    for (id, runs) in batches {
        match Batch::read(store.state(), &id) {
            // Nobody goes on with it as a whole.
            Ok(None) => alone.extend(runs),
            Ok(Some(batch)) => forget_batch(store, &batch, &runs),
            Err(_) => {}
        }
    }
    for run in alone
        .iter()
        .filter(|run| run.is_due && run.has_ended(store))
    {
        store.remove(&run.id);
    }
}

/// Whoever goes on with a batch begins with the hosts that have no run: its records go all together, when all of its hosts are
/// done, or not at all.
fn forget_batch(store: &RunStore, batch: &Batch, runs: &[Aged]) {
    let Ok(hosts) = batch.hosts() else {
        return;
    };
    let done: BTreeSet<&str> = runs.iter().map(|run| run.host.as_str()).collect();
    let is_over = hosts
        .names()
        .iter()
        .all(|host| done.contains(host.as_str()))
        && runs.iter().all(|run| run.is_due)
        && !batch.is_driven(store.state())
        && runs.iter().all(|run| run.has_ended(store));
    // First what the others would be begun by.
    if is_over && batch.remove(store.state()).is_ok() {
        runs.iter().for_each(|run| store.remove(&run.id));
    }
}

/// A run with its age.
struct Aged {
    id: String,
    host: String,
    /// Whether its records need not be kept any more.
    is_due: bool,
    resumable: bool,
}

impl Aged {
    /// Whether it has ended, or nobody can go on with it.
    fn has_ended(&self, store: &RunStore) -> bool {
        matches!(store.driver(&self.id), Ok(None))
            && store.read(&self.id).is_ok_and(|entries| {
                let last = entries.last().map(|entry| &entry.record);
                !self.resumable || matches!(last, Some(Record::Finished(_)))
            })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::launch_settings::LaunchSettings;
    use std::path::Path;
    use wreimage_journal::Header;
    use wreimage_journal::{Ending, Entry, Log, Mode, OnFailure, RunDatabase, RunOutcome};

    const BATCH: &str = "20260101T000000-batch-00000001";

    /// What a run was, and whether it has ended.
    struct Run<'a> {
        day: u8,
        host: &'a str,
        site: &'a str,
        batch: bool,
        resumable: bool,
        ended: bool,
    }

    const DONE: Run = Run {
        day: 1,
        host: "host1001",
        site: "dc1",
        batch: false,
        resumable: true,
        ended: true,
    };

    fn make(state: &Path, it: &Run) -> String {
        let run = format!("202601{:02}T000000-{}-00000001", it.day, it.host);
        let word = str::to_owned;
        let header = Header {
            format: 1,
            run: run.clone(),
            host: word(it.host),
            batch: it.batch.then(|| word(BATCH)),
            site: word(it.site),
            mode: Mode::Live,
            policy: None,
            dry_run: false,
            resumable: it.resumable,
            guest: word("reimage"),
            guest_version: word("0.1.0"),
            guest_digest: word("d1"),
            plugs: Vec::new(),
            options: Vec::new(),
            on_failure: OnFailure::Undo,
            actor: word("somebody"),
            controller: word("controller1001"),
            reason: None,
            absent: Vec::new(),
            host_key: None,
            lock: None,
            effects: wreimage_journal::RecordedEffects::Digest(word("e1")),
            wreimage: word("0.1.0"),
        };
        let ending = Ending {
            outcome: RunOutcome::Success,
            summary: String::new(),
            touched: true,
            left: Vec::new(),
            invalid_options: false,
        };
        let journal = RunDatabase::create(state, &run).unwrap();
        let records = [Record::Header(Box::new(header)), Record::Finished(ending)];
        for (record, number) in records.into_iter().zip(1..).take(1 + usize::from(it.ended)) {
            let time = Timestamp::from_second(1).unwrap();
            let entry = Entry {
                number,
                time,
                record,
            };
            journal.append(&entry, false).unwrap();
        }
        run
    }

    /// Keeps the last so many runs of `dc1`.
    fn forget_all_but(state: &Path, runs: u32) {
        let kept = Retention {
            days: None,
            runs: Some(runs),
        };
        forget(&RunStore::new(state), &kept, |run| run.site == "dc1");
    }

    fn ids(state: &Path) -> Vec<String> {
        RunStore::new(state).ids().unwrap()
    }

    #[test]
    fn runs_of_others_and_runs_that_can_be_gone_on_with_stay() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path();
        let ended = make(state, &DONE);
        let others = make(
            state,
            &Run {
                day: 2,
                site: "dc2",
                ..DONE
            },
        );
        let open = make(
            state,
            &Run {
                day: 3,
                ended: false,
                ..DONE
            },
        );
        let gone = make(
            state,
            &Run {
                day: 4,
                ended: false,
                resumable: false,
                ..DONE
            },
        );
        let newest = make(state, &Run { day: 5, ..DONE });
        // Those of others do not count.
        forget_all_but(state, 4);
        assert_eq!(ids(state), [&*ended, &others, &open, &gone, &newest]);
        forget_all_but(state, 1);
        assert_eq!(ids(state), [&*others, &open, &newest]);
    }

    #[test]
    fn the_runs_of_a_batch_go_all_together_when_it_is_over() {
        let state = tempfile::tempdir().unwrap();
        let state = state.path();
        let batch = Batch {
            id: BATCH.to_owned(),
            hosts: "host1001,host1003".to_owned(),
            mode: Mode::Live,
            of_site: None,
            guest_digest: "d1".to_owned(),
            settings: LaunchSettings {
                options: Vec::new(),
                dry_run: false,
                no_locks: false,
                host_key: None,
                take_over: Vec::new(),
                reason: None,
                on_failure: OnFailure::Undo,
                default_answer: Vec::new(),
                answer_within: None,
                batch: Some(BATCH.to_owned()),
            },
            parallel: 1,
            max_failures: 1,
            batch_sleep: None,
        };
        batch.keep(state).unwrap();
        let first = make(
            state,
            &Run {
                batch: true,
                ..DONE
            },
        );
        // Who goes on with the batch would begin with host1001 again.
        forget_all_but(state, 0);
        assert_eq!(ids(state), [&*first]);
        let second = make(
            state,
            &Run {
                day: 2,
                host: "host1003",
                batch: true,
                ..DONE
            },
        );
        forget_all_but(state, 1);
        assert_eq!(ids(state), [&*first, &second]);
        forget_all_but(state, 0);
        assert!(ids(state).is_empty());
        assert!(Batch::read(state, BATCH).unwrap().is_none());
    }
}
