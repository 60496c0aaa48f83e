//! The journals of the runs that a scenario plays in one state folder.

use std::sync::{Arc, Mutex, PoisonError};
use wreimage_engine::{RecordedKey, RecordedKeys, accepted_key};
use wreimage_journal::{Entry, Record};

/// Those of the runs that have ended, or wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journals(Arc<Mutex<Vec<Vec<Entry>>>>);

impl Journals {
    pub(crate) fn add(&self, entries: Vec<Entry>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(entries);
    }

    /// The host keys that these runs have accepted at the installer identity.
    pub(crate) fn recorded_keys(&self) -> RecordedKeys {
        let journals = self.clone();
        Arc::new(move |boot_id| {
            let all = journals.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().rev().find_map(|entries| {
                let host_key = accepted_key(entries, boot_id)?;
                let run = match &entries.first()?.record {
                    Record::Header(header) => header.run.clone(),
                    _ => return None,
                };
                Some(RecordedKey { run, host_key })
            })
        })
    }
}
