//! What a run is given to work with.

use crate::gate::twin::TwinMaker;
use crate::lease::Leasing;
use crate::ledger::boots::RecordedKeys;
use crate::record::recorder::Listener;
use crate::record::redact::Redactor;
use crate::run::cancel::Cancel;
use crate::run::consent::{Consent, GivenConsent};
use crate::run::operator::{Nobody, Operator};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use wreimage_capability::{BoxFuture, Clock, Function, Providers, SystemClock, WaitPolicy};
use wreimage_journal::{Log, MemoryLog};

/// Is told of every call that succeeded: function, arguments, outcome.
pub type Observer = Arc<dyn Fn(&'static Function, &Value, &Value) + Send + Sync>;

/// The policy of a wait at the site, given the one that the guest asks for.
pub type SiteWaits = Arc<dyn Fn(&'static Function, WaitPolicy) -> WaitPolicy + Send + Sync>;

/// Asked before each intent whether the run still holds its lock; the text says why not.
pub type Fence = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Goes on beside the run until the run ends or waits. It gets a way to leave a warning in the record of the run.
pub type Companion =
    Arc<dyn Fn(Arc<dyn Fn(&str) + Send + Sync>) -> BoxFuture<'static, Infallible> + Send + Sync>;

/// The surroundings of one run.
#[derive(Clone)]
pub struct Services {
    /// Who serves which capability. Bound to the run's host.
    pub providers: Providers,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where records go.
    pub log: Arc<dyn Log>,
    /// Who is told of records.
    pub listener: Option<Listener>,
    /// Who is told of outcomes: a lab that follows a live machine.
    pub observer: Option<Observer>,
    /// Who is asked.
    pub operator: Arc<dyn Operator>,
    /// Who gives consent.
    pub consent: Arc<dyn Consent>,
    /// Who makes a twin for a rehearsal.
    pub twin: Option<Arc<dyn TwinMaker>>,
    /// What the site says of waits; without it the guest's word holds.
    pub waits: Option<SiteWaits>,
    /// Whether the run still holds its lock.
    pub fence: Option<Fence>,
    /// The lease that orders the controllers of the host, where there is one.
    pub lease: Option<Leasing>,
    /// The host keys that earlier runs recorded here have accepted at the installer identity.
    pub recorded_keys: Option<RecordedKeys>,
    /// Why the journal is not all that the run recorded: only what is certainly its own is undone then.
    pub cut: Option<String>,
    /// Why no lease orders the controllers, where one could; consent shows it.
    pub unordered: Option<String>,
    /// Whether the run can be gone on with from its journal, in another process. Then a journal that cannot be written any
    /// more pauses it; otherwise what must not stay is taken back, unrecorded.
    pub resumable: bool,
    /// Takes secrets out of what providers say.
    pub redactor: Option<Redactor>,
    /// Renews what expires while the run is open.
    pub companion: Option<Companion>,
    /// Stops the run.
    pub cancel: Cancel,
}

impl Services {
    /// These providers, the system's clock, records in memory, nobody to ask and no consent.
    pub fn new(providers: Providers) -> Self {
        Services {
            providers,
            clock: Arc::new(SystemClock),
            log: Arc::new(MemoryLog::new()),
            listener: None,
            observer: None,
            operator: Arc::new(Nobody),
            consent: Arc::new(GivenConsent(String::new())),
            twin: None,
            waits: None,
            fence: None,
            lease: None,
            recorded_keys: None,
            cut: None,
            unordered: None,
            resumable: false,
            redactor: None,
            companion: None,
            cancel: Cancel::new(),
        }
    }
}
