//! What the gate knows of a run while it goes on.

use crate::gate::served::Notes;
use crate::gate::twin::Seen;
use crate::identity::consent::Standing;
use crate::identity::first_boot::UnconfirmedBoot;
use crate::ledger::restarts::Restarts;
use crate::run::report::Mutation;
use crate::undo::list::UndoList;
use crate::wasi::Times;
use std::collections::BTreeSet;
use std::sync::Arc;
use wreimage_capability::{Caller, Catalogue, Facts, HostSnapshot, PinnedBoot, Providers};
use wreimage_journal::Checked;

/// What is plugged into the guest of a run, as far as the gate has to know it.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) digest: String,
    pub(crate) capabilities: Vec<(String, Vec<String>)>,
    pub(crate) may_mutate: bool,
}

/// What changes while the run goes on.
#[derive(Default)]
pub(crate) struct State {
    /// The capabilities that there are.
    pub(crate) catalogue: Catalogue,
    /// The component that makes the guest's present call. Calls follow each other: there is one at a time.
    pub(crate) caller: Caller,
    pub(crate) providers: Providers,
    pub(crate) in_twin: bool,
    /// Whether the run is a rehearsal.
    pub(crate) rehearses: bool,
    /// Reads so far, for a twin. Empty unless the run is a rehearsal.
    pub(crate) seen: Vec<Seen>,
    /// For how long no process drove a resumed run, in milliseconds; negative when the clock was set back meanwhile.
    pub(crate) undriven_ms: i64,
    /// Another guest is tried along the records: nothing may be done.
    pub(crate) trial: bool,
    /// A resumed run has just passed its last record: what it has set may be gone by now.
    pub(crate) at_edge: bool,
    pub(crate) allowed: bool,
    /// The consent of the record was for a lease that was never confirmed: it is asked for anew.
    pub(crate) consent_is_void: bool,
    /// The question for consent that an earlier process has asked.
    pub(crate) consent: Option<Standing>,
    pub(crate) touched: bool,
    pub(crate) facts: Facts,
    /// The inventory's record and the BMC's addresses, as of the last check; before the first, as the inventory was read.
    pub(crate) snapshot: Option<Arc<HostSnapshot>>,
    /// Before the first check the inventory was read, or could not be.
    pub(crate) snapshot_asked: bool,
    /// The last check of this run, in whatever process.
    pub(crate) checked: Option<Arc<Checked>>,
    /// This process has checked the host, and nothing has come between that calls for another check.
    pub(crate) is_fresh: bool,
    /// What consent was given to, by name.
    pub(crate) shown: Vec<(String, String)>,
    /// This process has asked for consent: what was decided in advance has been used.
    pub(crate) consented_here: bool,
    /// Cautions and warnings that were reported.
    pub(crate) reported: BTreeSet<String>,
    /// Statuses in the inventory that this run has set, or has tried to.
    pub(crate) statuses_set: Vec<String>,
    /// The restarts of the machine by this run.
    pub(crate) restarts: Restarts,
    /// The BMC belongs to another machine than the one that was changed: nothing of it is undone there.
    pub(crate) another_machine: bool,
    /// The boot at the installer identity that the run has accepted.
    pub(crate) pinned: Option<Arc<PinnedBoot>>,
    /// A wait has seen a boot at the installer identity, and its provider reports no host keys: the first one is accepted.
    pub(crate) awaits_key: bool,
    /// The first boot at the installer identity, when nothing confirms its host key: consent shows it.
    pub(crate) unconfirmed: Option<UnconfirmedBoot>,
    /// Whether the machine at the installer identity has been compared with the inventory since its last boot.
    pub(crate) identified_boot: bool,
    /// The last boot that was waited for answers at the installer identity, and the machine was not restarted since.
    pub(crate) is_at_installer: bool,
    /// The host key that is accepted at the production identity besides the known ones.
    pub(crate) host_key: Option<Arc<str>>,
    /// In the record, the machine at the installer identity has just told which one it is.
    pub(crate) told_identity: bool,
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
    /// After a cancel, what the host itself does is not cancelled.
    pub(crate) closing: bool,
    /// The time that a guest with a WASI sees.
    pub(crate) times: Times,
}
