//! The lease of a run: who holds the host, as far as this process knows, and until when.
//!
//! The book's page about the lease explains the protocol. Here a run observes the claims before consent, acquires its own after
//! it, confirms it before each change, and releases it at its end. A claim that is foreign, broken or missing pauses the run
//! before its next change.

mod acquire;
mod confirm;
mod release;
mod renewer;
mod system;

pub use renewer::Renewer;
pub use system::{BootTime, random_token};

use crate::record::recorder::Recorder;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wreimage_capability::lease::{
    ClaimedHost, Confirmed, ControllerId, HeldClaim, JournalMark, Lease, LeaseError, LeaseResult,
    Renewal, Renewed, Token, Uptime,
};
use wreimage_journal::{Entry, Record};

/// How much of the validity is never used. The uptimes of controller and server drift by less than 0.1 %, which is 0.3 s in five
/// minutes; a BMC that has accepted a command may act some seconds later, and its network may deliver a repeated packet as
/// late. A folder whose claims live for less than 40 s keeps a quarter.
const MARGIN: Duration = Duration::from_secs(10);

/// How long one request may take before it counts as one without an answer.
pub(crate) const REQUEST: Duration = Duration::from_secs(30);

/// What a run needs to hold the lease on its host.
#[derive(Clone)]
pub struct Leasing {
    /// Where leases are kept.
    pub lease: Arc<dyn Lease>,
    /// Renews what this process holds.
    pub renewal: Arc<dyn Renewal>,
    /// Counts the validity.
    pub uptime: Arc<dyn Uptime>,
    /// Makes the token of an acquisition.
    pub token: Arc<dyn Fn() -> Token + Send + Sync>,
    /// This controller.
    pub controller: ControllerId,
    /// Who drives the run, for people.
    pub actor: String,
    /// The user ID of that person's process.
    pub uid: u32,
    /// The runs over whose stale claims this one may begin.
    pub take_over: Vec<String>,
}

/// Whether this process holds the claim.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    /// It has not acquired yet.
    Free,
    /// The server confirmed it last by a request that was sent at this uptime.
    Held {
        token: Token,
        sent: Duration,
        ttl: Duration,
    },
    /// It is not, or no longer, this run's; why.
    Lost(String),
    /// The run ended.
    Released,
}

/// The lease as this process knows it.
pub(crate) struct Holder {
    pub(crate) leasing: Option<Leasing>,
    recorder: Arc<Recorder>,
    inner: Mutex<Inner>,
}

struct Inner {
    standing: Standing,
    /// The machine, as it was claimed or observed last.
    host: ClaimedHost,
    /// Every token that the journal has.
    tokens: Vec<Token>,
    /// The journal as this process found it. What is appended since must not make up for records that are missing.
    found: JournalMark,
    /// The journal shows that one of them was confirmed, or that something was changed.
    was_held: bool,
    /// The token of the claim that was observed last; `None` when there was none.
    over: Option<Token>,
    /// Whether this process has observed the claims.
    was_observed: bool,
    /// The run whose claim was in the way then.
    rival: Option<String>,
    /// How long claims live, as it was observed last.
    ttl: Duration,
    phase: String,
    run: String,
    /// Has the claim renewed while it is there.
    guard: Option<Box<dyn Send + Sync>>,
}

impl Holder {
    pub(crate) fn new(leasing: Option<Leasing>, recorder: Arc<Recorder>, run: &str) -> Arc<Self> {
        Arc::new(Holder {
            leasing,
            recorder,
            inner: Mutex::new(Inner {
                standing: Standing::Free,
                host: ClaimedHost::default(),
                tokens: Vec::new(),
                found: JournalMark::default(),
                was_held: false,
                over: None,
                rival: None,
                was_observed: false,
                ttl: Duration::from_secs(300),
                phase: String::new(),
                run: run.to_owned(),
                guard: None,
            }),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what earlier processes recorded of the lease.
    pub(crate) fn learn(&self, entries: &[Entry]) {
        let found = self.recorder.mark();
        let mut inner = self.inner();
        inner.found = found;
        for entry in entries {
            match &entry.record {
                Record::LeaseRequested(requested) => {
                    inner.tokens.push(requested.token.clone());
                    inner.host = requested.host.clone();
                }
                Record::LeaseAcquired { .. } | Record::Intent(_) => inner.was_held = true,
                _ => {}
            }
        }
    }

    /// The run is in this phase.
    pub(crate) fn phase(&self, phase: &str) {
        let mut inner = self.inner();
        if inner.phase != phase {
            phase.clone_into(&mut inner.phase);
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.inner().standing.clone()
    }

    /// The claim is not, or no longer, this run's.
    pub(crate) fn lose(&self, why: impl Into<String>) {
        let guard = {
            let mut inner = self.inner();
            inner.standing = Standing::Lost(why.into());
            inner.guard.take()
        };
        // The renewer may ask for the claim: never while it is locked.
        drop(guard);
    }

    /// Has the claim renewed while this process drives the run.
    pub(crate) fn keep_on(self: &Arc<Self>) {
        let (Some(leasing), Standing::Held { ttl, .. }) = (&self.leasing, self.standing()) else {
            return;
        };
        let held: Arc<dyn Renewed> = self.clone();
        let guard = leasing.renewal.keep(Arc::downgrade(&held), ttl);
        self.inner().guard = Some(guard);
    }

    /// This process no longer drives the run, or the run waits for a person: the claim ages from now on.
    pub(crate) fn let_go(&self) {
        let guard = self.inner().guard.take();
        drop(guard);
    }

    /// The server confirmed a request that was sent at this uptime.
    fn confirm(&self, sent: Duration, confirmed: &Confirmed) {
        let mut inner = self.inner();
        let newest = Duration::from_millis(confirmed.ttl_ms);
        inner.ttl = newest;
        if let Standing::Held {
            sent: last, ttl, ..
        } = &mut inner.standing
        {
            *last = sent.max(*last);
            *ttl = newest;
        }
    }

    /// For how much longer the claim is valid, the margin subtracted; `None` when it is not held or not valid any more.
    pub(crate) fn validity(&self) -> Option<Duration> {
        let now = self.leasing.as_ref()?.uptime.uptime();
        let inner = self.inner();
        let Standing::Held { sent, ttl, .. } = &inner.standing else {
            return None;
        };
        let until = sent.saturating_add(ttl.saturating_sub(MARGIN.min(*ttl / 4)));
        until.checked_sub(now).filter(|left| !left.is_zero())
    }
}

impl Renewed for Holder {
    fn claim(&self) -> Option<HeldClaim> {
        let journal = self.recorder.mark();
        let inner = self.inner();
        let Standing::Held { token, .. } = &inner.standing else {
            return None;
        };
        Some(HeldClaim {
            host: inner.host.clone(),
            run: inner.run.clone(),
            token: token.clone(),
            phase: inner.phase.clone(),
            journal,
        })
    }

    fn renewed(&self, sent: Duration, answer: LeaseResult<Confirmed>) {
        match answer {
            Ok(confirmed) => self.confirm(sent, &confirmed),
            // The next renewal is in time, or the next change notices.
            Err(LeaseError::NoAnswer(_)) => {}
            Err(
                LeaseError::Refused { why, .. } | LeaseError::Lost(why) | LeaseError::Folder(why),
            ) => {
                self.lose(why);
            }
        }
    }
}
