//! One run, as this process drives it.

use crate::gate::context::RunContext;
use crate::gate::twin::TwinMaker;
use crate::guest::load::Guest;
use crate::lease::Holder;
use crate::ledger::boots::RecordedKeys;
use crate::ledger::state::State;
use crate::ledger::{Ledger, Mode};
use crate::record::recorder::{CallSink, Recorder};
use crate::record::redact::{Redacted, Redaction};
use crate::replay::cursor::ReplayCursor;
use crate::run::cancel::Cancel;
use crate::run::consent::Consent;
use crate::run::operator::Operator;
use crate::run::request::RunRequest;
use crate::run::services::{Fence, Observer, Services, SiteWaits};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wreimage_capability::{Function, Providers, Role};
use wreimage_journal::Header;

/// What every call of a run passes: what the run is bound to, what it knows, and whom it asks.
pub(crate) struct RunGate {
    pub(crate) context: RunContext,
    /// The host keys that earlier runs here have accepted at the installer identity.
    pub(crate) recorded_keys: Option<RecordedKeys>,
    pub(crate) waits: Option<SiteWaits>,
    pub(crate) fence: Option<Fence>,
    /// The lease on the host.
    pub(crate) holder: Arc<Holder>,
    pub(crate) consent: Arc<dyn Consent>,
    pub(crate) operator: Arc<dyn Operator>,
    pub(crate) observer: Option<Observer>,
    pub(crate) twin: Option<Arc<dyn TwinMaker>>,
    pub(crate) cancel: Cancel,
    /// Held while a mutation is under way, so that a cancel can wait for its end.
    pub(crate) mutating: tokio::sync::Mutex<()>,
    pub(crate) recorder: Arc<Recorder>,
    /// What earlier processes have recorded and this one has not passed yet.
    pub(crate) cursor: Mutex<Option<ReplayCursor>>,
    pub(crate) state: Mutex<State>,
}

impl RunGate {
    /// The gate of a run before its first call. A guest that is not at hand is the one of the header.
    pub(crate) fn new(
        header: &Header,
        guest: Option<&Guest>,
        request: RunRequest,
        services: Services,
    ) -> Self {
        let redaction = Redaction(services.redactor);
        let providers = redacted(services.providers, &redaction);
        let recorder = Arc::new(
            Recorder::new(services.log, services.listener, services.clock, redaction)
                .within(request.limits),
        );
        let holder = Holder::new(services.lease, recorder.clone(), &request.run);
        if let Some(why) = services.cut {
            holder.lose(why);
        }
        let resumable = services.resumable;
        let context = RunContext::new(header, guest, request, services.unordered, resumable);
        let ledger = Ledger::new(context.catalogue, context.installer_marks.clone());
        RunGate {
            context,
            recorded_keys: services.recorded_keys,
            waits: services.waits,
            fence: services.fence,
            holder,
            consent: services.consent,
            operator: services.operator,
            observer: services.observer,
            twin: services.twin,
            cancel: services.cancel,
            mutating: tokio::sync::Mutex::new(()),
            recorder,
            cursor: Mutex::new(None),
            state: Mutex::new(State::new(ledger, providers)),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the gate does with calls now.
    pub(crate) fn mode(&self) -> Mode {
        let is_replaying = self.is_replaying();
        match self.state().mode() {
            closing @ Mode::Closing { .. } => closing,
            _ if is_replaying => Mode::Replaying,
            mode => mode,
        }
    }

    /// Whether a provider serves the capability here.
    pub(crate) fn serves(&self, capability: &str) -> bool {
        self.state().providers.has(capability) && !self.context.absent.contains(capability)
    }

    /// The first function with a role that a provider serves here, and what `pick` takes of the role.
    pub(crate) fn served<T>(
        &self,
        pick: impl Fn(&Role) -> Option<T>,
    ) -> Option<(&'static Function, T)> {
        let mut all = self.context.catalogue.with_role(pick);
        all.find(|(function, _)| self.serves(function.capability))
    }

    /// Where a call leaves progress and output.
    pub(crate) fn sink(&self, call: u64) -> Arc<CallSink> {
        Arc::new(CallSink {
            recorder: self.recorder.clone(),
            call,
            not_previewed: Mutex::new(None),
            pinned: Mutex::new(None),
        })
    }
}

/// The same providers, none of which can tell a secret.
fn redacted(providers: Providers, redaction: &Redaction) -> Providers {
    if redaction.0.is_none() {
        return providers;
    }
    let mut all = Providers::new();
    for name in providers.names() {
        if let Some(provider) = providers.get(name) {
            let redaction = redaction.clone();
            all.add((
                name,
                Arc::new(Redacted {
                    provider,
                    redaction,
                }),
            ));
        }
    }
    all
}
