//! Renewing what paused runs have published on their site.

use crate::standing::RunState;
use crate::store::RunStore;
use std::collections::BTreeMap;
use std::time::Instant;
use wreimage_journal::Process;
use wreimage_site::Site;

/// Renews what the paused runs of a process have published, each as often as its site demands.
pub struct PausedRuns {
    store: RunStore,
    process: Process,
    due: BTreeMap<String, Instant>,
}

impl PausedRuns {
    /// The runs that this process leaves paused.
    pub fn left_by(store: RunStore, process: Process) -> Self {
        PausedRuns {
            store,
            process,
            due: BTreeMap::new(),
        }
    }

    /// Renews what is due; whether there is a paused run that may need it.
    pub async fn renew(&mut self, site: &Site) -> bool {
        // What cannot be read now may be read later.
        let Ok(paused) = self.store.left_by(&self.process, RunState::Paused) else {
            return true;
        };
        for (header, _) in &paused {
            let now = Instant::now();
            if self.due.get(&header.run).is_some_and(|due| now < *due) {
                continue;
            }
            let Ok(Some(keeper)) = site.keeper(&header.host) else {
                continue;
            };
            // One that fails is made up for by the next: it is renewed long before it is over.
            let _ = keeper.renew(&header.run).await;
            self.due.insert(header.run.clone(), now + keeper.interval());
        }
        !paused.is_empty()
    }
}
