//! What this process knows of a run besides its records.

use super::Ledger;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;
use wreimage_capability::{HostSnapshot, PinnedBoot, Providers};
use wreimage_journal::Record;

/// The ledger of a run, which only records change, and what only this process knows.
pub(crate) struct State {
    ledger: Ledger,
    pub(crate) providers: Providers,
    /// For how long no process drove a resumed run, in milliseconds; negative when the clock was set back meanwhile.
    pub(crate) suspended_ms: i64,
    /// Another guest is tried along the records: nothing may be done.
    pub(crate) verifies: bool,
    /// A resumed run has just passed its last record: what it has set may be gone by now.
    pub(crate) at_edge: bool,
    /// The consent of earlier processes was for a lease that was never confirmed: it does not count.
    pub(crate) earlier_consent_is_void: bool,
    /// Before the first check the inventory was read, or could not be.
    pub(crate) snapshot_asked: bool,
    /// What a check that is under way has read of the inventory, without the addresses of the last check.
    pub(crate) snapshot_in_check: Option<Arc<HostSnapshot>>,
    /// This process has checked the host, and nothing has come between that calls for another check.
    pub(crate) is_fresh: bool,
    /// This process has asked for consent: what was decided in advance has been used.
    pub(crate) consented_here: bool,
    /// Cautions and warnings that were reported.
    pub(crate) reported: BTreeSet<String>,
    /// The BMC belongs to another machine than the one that was changed: nothing of it is undone there.
    pub(crate) another_machine: bool,
    /// This process has compared the machine at the installer identity with the inventory since its last boot.
    pub(crate) identified_here: bool,
    /// The boot of the twin at the installer identity.
    pub(crate) pinned_in_twin: Option<Arc<PinnedBoot>>,
    /// What this process leaves in doubt.
    pub(crate) own_doubts: Vec<String>,
    /// The records that were applied, each with the ledger after it.
    #[cfg(test)]
    pub(crate) trace: Option<Vec<(Record, Ledger)>>,
}

impl State {
    pub(crate) fn new(ledger: Ledger, providers: Providers) -> Self {
        State {
            ledger,
            providers,
            suspended_ms: 0,
            verifies: false,
            at_edge: false,
            earlier_consent_is_void: false,
            snapshot_asked: false,
            snapshot_in_check: None,
            is_fresh: false,
            consented_here: false,
            reported: BTreeSet::new(),
            another_machine: false,
            identified_here: false,
            pinned_in_twin: None,
            own_doubts: Vec::new(),
            #[cfg(test)]
            trace: None,
        }
    }

    /// Applies a record that was just written, or read back. The records that follow from it.
    pub(crate) fn apply(&mut self, record: &Record, time: Timestamp) -> Vec<Record> {
        let boots = self.ledger.boots();
        let follow = self.ledger.apply(record, time);
        if self.ledger.boots() != boots {
            // What was compared may have been another machine.
            self.identified_here = false;
            self.pinned_in_twin = None;
        }
        #[cfg(test)]
        if let Some(trace) = &mut self.trace {
            trace.push((record.clone(), self.ledger.clone()));
        }
        follow
    }

    /// Whether the run may change something: it has consent that counts.
    pub(crate) fn may_change(&self) -> bool {
        self.ledger.consented && !self.earlier_consent_is_void
    }

    /// The next change is preceded by a check.
    pub(crate) fn needs_check(&mut self) {
        self.is_fresh = false;
    }

    /// Calls of which nobody knows whether they happened.
    pub(crate) fn doubts(&self) -> impl Iterator<Item = &String> {
        self.ledger.doubts.iter().chain(&self.own_doubts)
    }

    #[cfg(test)]
    pub(crate) fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
}

/// What a run knows is read here and changed by its records only.
impl Deref for State {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}
