//! What a run knows: a fold of its records.
//!
//! A live run applies each record as it writes it, and a resumed run applies those that it reads back. Both know the same, and
//! nothing else changes what a run knows.

mod apply;
pub(crate) mod boots;
pub(crate) mod follow_ups;
pub(crate) mod notes;
pub(crate) mod restarts;
pub(crate) mod state;

use crate::gate::twin::Seen;
use crate::run::report::Mutation;
use crate::undo::list::UndoList;
use crate::wasi::Times;
use boots::UnconfirmedBoot;
use notes::Notes;
use restarts::Restarts;
use std::sync::Arc;
use wreimage_capability::{Catalogue, Facts, HostSnapshot, InstallerMarks, PinnedBoot};
use wreimage_journal::{Checked, Question};

/// Code of the fault of a call that the world shows not to have happened.
pub(crate) const DID_NOT: &str = "gate.did-not-happen";

/// Code of the fault of a restart that is refused because a boot override was set since the guest read that there is none.
pub(crate) const OVERRIDE_CHANGED: &str = wreimage_facts::code::OVERRIDE_CHANGED;

/// The question for consent as it stands in the records.
#[derive(Debug, Clone)]
pub(crate) struct ConsentQuestion {
    pub(crate) question: Question,
    pub(crate) answer: Option<String>,
}

/// What the gate does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is answered from the records of earlier processes.
    Replaying,
    /// It is made.
    Live,
    /// It is made in a twin.
    Preview,
    /// The guest's part is over: it is made, and a cancel does not stop it.
    Closing {
        /// In a twin.
        in_twin: bool,
    },
}

impl Mode {
    /// Whether the guest's part is over.
    pub(crate) fn is_closing(self) -> bool {
        matches!(self, Mode::Closing { .. })
    }

    /// Whether calls are made in a twin.
    pub(crate) fn is_in_twin(self) -> bool {
        matches!(self, Mode::Preview | Mode::Closing { in_twin: true })
    }
}

/// How far a run has come, which decides what a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Untouched,
    /// Something was changed, and the machine still has its old system.
    Changed,
    /// A restart into the installer was ordered.
    Wiping,
}

/// What a run knows by its records.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    catalogue: Catalogue,
    /// Whether the run is a rehearsal.
    pub(crate) rehearses: bool,
    /// The rehearsal is in its twin.
    in_twin: bool,
    /// Reads so far, for a twin. Empty unless the run is a rehearsal.
    pub(crate) seen: Vec<Seen>,
    /// Consent was given, or a rehearsal needs none.
    pub(crate) consented: bool,
    /// The question for consent that waits for an answer, or whose answer was not acted on.
    pub(crate) consent: Option<ConsentQuestion>,
    /// What consent was given to, by name.
    pub(crate) shown: Vec<(String, String)>,
    /// Something was changed, or may have been.
    pub(crate) touched: bool,
    pub(crate) facts: Facts,
    /// The inventory's record and the BMC's addresses, as of the last check; before the first, as the inventory was read.
    pub(crate) snapshot: Option<Arc<HostSnapshot>>,
    /// The last check of this run, in whatever process.
    pub(crate) checked: Option<Arc<Checked>>,
    /// Statuses in the inventory that this run has set, or has tried to.
    pub(crate) statuses_set: Vec<String>,
    /// The restarts of the machine by this run.
    pub(crate) restarts: Restarts,
    /// The boot at the installer identity that the run has accepted.
    pub(crate) pinned: Option<Arc<PinnedBoot>>,
    /// A wait has seen a boot at the installer identity, and its provider reports no host keys: the first one is accepted.
    pub(crate) awaits_key: bool,
    /// The first boot at the installer identity, when nothing confirms its host key: consent shows it.
    pub(crate) unconfirmed: Option<UnconfirmedBoot>,
    /// The machine at the installer identity was compared with the inventory since its last boot, and the guest continued.
    pub(crate) identified_boot: bool,
    /// The machine at the installer identity has reported which one it is since its last boot.
    identity_reported: bool,
    /// After how many restarts and boots this is.
    boots: u64,
    /// The last boot that was waited for answers at the installer identity, and the machine was not restarted since.
    pub(crate) is_at_installer: bool,
    /// The host key that is accepted at the production identity besides the known ones.
    pub(crate) host_key: Option<Arc<str>>,
    /// This run has taken the host out of its services.
    pub(crate) depooled: bool,
    pub(crate) undo: UndoList,
    pub(crate) notes: Notes,
    pub(crate) mutations: Vec<Mutation>,
    pub(crate) calls: u64,
    /// Calls of which nobody knows whether they happened.
    pub(crate) doubts: Vec<String>,
    /// The host itself has warned of something.
    pub(crate) warned: bool,
    /// How many steps there were when the guest's part ended: those behind them are the closing words'.
    pub(crate) steps_of_guest: Option<usize>,
    /// The run was cancelled before the guest came to its end.
    pub(crate) cancelled: bool,
    /// The guest's part is over.
    pub(crate) closing: bool,
    /// The time that a guest with a WASI sees.
    pub(crate) times: Times,
}

impl Ledger {
    /// Nothing is recorded yet. An installer is known by these marks.
    pub(crate) fn new(catalogue: Catalogue, marks: InstallerMarks) -> Self {
        Ledger {
            catalogue,
            rehearses: false,
            in_twin: false,
            seen: Vec::new(),
            consented: false,
            consent: None,
            shown: Vec::new(),
            touched: false,
            facts: Facts::of(marks),
            snapshot: None,
            checked: None,
            statuses_set: Vec::new(),
            restarts: Restarts::default(),
            pinned: None,
            awaits_key: false,
            unconfirmed: None,
            identified_boot: false,
            identity_reported: false,
            boots: 0,
            is_at_installer: false,
            host_key: None,
            depooled: false,
            undo: UndoList::default(),
            notes: Notes::default(),
            mutations: Vec::new(),
            calls: 0,
            doubts: Vec::new(),
            warned: false,
            steps_of_guest: None,
            cancelled: false,
            closing: false,
            times: Times::default(),
        }
    }

    /// After how many restarts and boots this is: another machine may answer since the last one.
    pub(crate) fn boots(&self) -> u64 {
        self.boots
    }

    /// What is done with a call that no record answers.
    pub(crate) fn mode(&self) -> Mode {
        match (self.closing, self.in_twin) {
            (true, in_twin) => Mode::Closing { in_twin },
            (false, true) => Mode::Preview,
            (false, false) => Mode::Live,
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        match (
            self.restarts.has_begun_wipe() || self.facts.wiped,
            self.touched,
        ) {
            (true, _) => Progress::Wiping,
            (false, true) => Progress::Changed,
            (false, false) => Progress::Untouched,
        }
    }
}
