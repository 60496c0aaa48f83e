//! One run, as this process drives it, and what it begins with.

use crate::gate::twin::TwinMaker;
use crate::guest::grants::{Absent, Grants};
use crate::guest::imports::Import;
use crate::guest::load::{Guest, Plugged};
use crate::guest::options::{depools, keeps_system, target_release};
use crate::identity::consent::Consent;
use crate::identity::first_boot::RecordedKeys;
use crate::lease::Holder;
use crate::ledger::state::{Component, State};
use crate::record::recorder::{CallSink, Recorder};
use crate::record::redact::{Redacted, Redaction};
use crate::replay::cursor::Past;
use crate::run::cancel::Cancel;
use crate::run::operator::Operator;
use crate::run::request::RunRequest;
use crate::run::services::{Fence, Observer, Services, WaitPolicy};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wreimage_capability::{Caller, Catalogue, Facts, Function, Providers, Role, Server};
use wreimage_journal::{FORMAT, Header, OnFailure, Origin};

/// One run, as this process drives it: what the gate needs to answer, and what it has learnt.
pub(crate) struct Course {
    /// The capabilities that there are.
    pub(crate) catalogue: Catalogue,
    pub(crate) run: String,
    pub(crate) host: String,
    pub(crate) site: String,
    pub(crate) actor: String,
    pub(crate) controller: String,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) guest: String,
    pub(crate) digest: String,
    pub(crate) capabilities: Vec<(String, Vec<String>)>,
    /// What is plugged into the guest, in order.
    pub(crate) plugs: Vec<Component>,
    pub(crate) may_mutate: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) dry_run: bool,
    pub(crate) grants: Grants,
    pub(crate) absent: Absent,
    pub(crate) protected_tags: Vec<String>,
    /// Vendors and models whose BMCs have a GUID that is not the machine's UUID.
    pub(crate) unrelated_guids: Vec<String>,
    /// A machine of which nothing can be compared is let through with a caution.
    pub(crate) identity_optional: bool,
    /// The operating system that the guest installs, by the option that names it.
    pub(crate) target_release: Option<String>,
    /// Digests of what the site decides: its grants, its policy, its tables of providers.
    pub(crate) site_tables: Vec<(String, String)>,
    /// Fingerprint of the host key that the operator has given.
    pub(crate) given_host_key: Option<String>,
    /// The host keys that earlier runs here have accepted at the installer identity.
    pub(crate) recorded_keys: Option<RecordedKeys>,
    /// The guest will take the host out of its services before it changes the machine, or the host is in none.
    pub(crate) depools: bool,
    /// The guest may continue with the system that is there, so that its host key matters.
    pub(crate) keeps_system: bool,
    pub(crate) console: Option<String>,
    pub(crate) waits: Option<WaitPolicy>,
    pub(crate) fence: Option<Fence>,
    /// The lease on the host.
    pub(crate) holder: Arc<Holder>,
    /// Why no lease orders the controllers, where one could.
    pub(crate) unordered: Option<String>,
    pub(crate) resumable: bool,
    pub(crate) consent: Arc<dyn Consent>,
    pub(crate) operator: Arc<dyn Operator>,
    pub(crate) observer: Option<Observer>,
    pub(crate) twin: Option<Arc<dyn TwinMaker>>,
    pub(crate) cancel: Cancel,
    /// Held while a mutation is under way, so that a cancel can wait for its end.
    pub(crate) mutating: tokio::sync::Mutex<()>,
    pub(crate) recorder: Arc<Recorder>,
    /// What earlier processes have recorded and this one has not passed yet.
    pub(crate) past: Mutex<Option<Past>>,
    pub(crate) state: Mutex<State>,
}

impl Course {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The component that is plugged into the guest and makes the present call, if it is one.
    pub(crate) fn plug(&self) -> Option<&Component> {
        match self.state().caller {
            Caller::Guest => None,
            Caller::Plug(number) => self.plugs.get(number.checked_sub(1)?),
        }
    }

    /// Whether the engine itself answers it.
    pub(crate) fn is_served_by_engine(&self, function: &Function) -> bool {
        let capability = self.catalogue.capability(function.capability);
        capability.is_some_and(|it| it.server == Server::Engine)
    }

    /// Whether a provider serves the capability here.
    pub(crate) fn serves(&self, capability: &str) -> bool {
        self.state().providers.has(capability) && !self.absent.contains(capability)
    }

    /// The first function with a role that a provider serves here, and what `pick` takes of the role.
    pub(crate) fn served<T>(
        &self,
        pick: impl Fn(&Role) -> Option<T>,
    ) -> Option<(&'static Function, T)> {
        let mut all = self.catalogue.with_role(pick);
        all.find(|(function, _)| self.serves(function.capability))
    }

    /// Its name, for a record of a call.
    pub(crate) fn component(&self, origin: Origin) -> Option<String> {
        let plug = self.plug().filter(|_| origin == Origin::Guest)?;
        Some(plug.name.clone())
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

/// The state of a run before its first call. A guest that is not at hand is the one of the header.
pub(crate) fn course(
    header: &Header,
    guest: Option<&Guest>,
    request: RunRequest,
    services: Services,
) -> Course {
    let options = request.options.pairs();
    let redaction = Redaction(services.redactor);
    let state = State {
        rehearses: request.dry_run,
        providers: redacted(services.providers, &redaction),
        facts: Facts::of(request.installer_marks.clone()),
        ..State::default()
    };
    let recorder = Arc::new(
        Recorder::new(services.log, services.listener, services.clock, redaction)
            .within(request.limits),
    );
    let holder = Holder::new(services.lease, recorder.clone(), &request.run);
    if let Some(why) = services.cut {
        holder.lose(why);
    }
    Course {
        catalogue: wreimage_capability::ALL,
        holder,
        unordered: services.unordered,
        run: request.run,
        host: request.host,
        site: request.site,
        actor: request.actor,
        controller: request.controller,
        target_release: guest.and_then(|it| target_release(it.description(), &options)),
        depools: guest.is_some_and(|it| depools(it.description(), &options)),
        keeps_system: guest.is_none_or(|it| keeps_system(it.description(), &options)),
        options,
        guest: guest.map_or_else(
            || format!("{} {}", header.guest, header.guest_version),
            |guest| {
                format!(
                    "{} {}",
                    guest.description().name,
                    guest.description().version
                )
            },
        ),
        digest: guest.map_or_else(|| header.guest_digest.clone(), |it| it.digest().to_owned()),
        capabilities: guest
            .map(|it| used(it.imports(), &request.absent))
            .unwrap_or_default(),
        plugs: guest.map_or_else(
            || header.plugs.iter().map(recorded).collect(),
            |it| {
                let plugs = it.plugs().iter();
                plugs.map(|it| component(it, &request.absent)).collect()
            },
        ),
        may_mutate: guest.is_none_or(|it| it.description().mutates),
        on_failure: request.on_failure,
        dry_run: request.dry_run,
        grants: request.grants,
        absent: request.absent,
        protected_tags: request.protected_tags,
        unrelated_guids: request.unrelated_guids,
        identity_optional: request.identity_optional,
        site_tables: request.site_tables,
        given_host_key: request.host_key,
        recorded_keys: services.recorded_keys,
        console: request.console,
        waits: services.waits,
        fence: services.fence,
        resumable: services.resumable,
        consent: services.consent,
        operator: services.operator,
        observer: services.observer,
        twin: services.twin,
        cancel: services.cancel,
        mutating: tokio::sync::Mutex::new(()),
        recorder,
        past: Mutex::new(None),
        state: Mutex::new(state),
    }
}

fn component(plug: &Plugged, absent: &Absent) -> Component {
    Component {
        name: plug.description.name.clone(),
        version: plug.description.version.clone(),
        digest: plug.digest.clone(),
        capabilities: used(&plug.imports, absent),
        may_mutate: plug.description.mutates,
    }
}

/// A component of a guest that is not at hand: it makes no calls.
fn recorded(plug: &wreimage_journal::Plugged) -> Component {
    Component {
        name: plug.name.clone(),
        version: plug.version.clone(),
        digest: plug.digest.clone(),
        capabilities: Vec::new(),
        may_mutate: false,
    }
}

/// The capabilities that a component uses, each with the functions that change something.
fn used(imports: &[Import], absent: &Absent) -> Vec<(String, Vec<String>)> {
    imports
        .iter()
        .filter(|import| import.capability.server == Server::Provider)
        .filter(|import| !absent.contains(import.capability.name))
        .map(|import| {
            let functions: Vec<String> = import
                .functions
                .iter()
                .filter(|function| function.effect.mutates())
                .map(|function| function.name.to_owned())
                .collect();
            (import.capability.name.to_owned(), functions)
        })
        .collect()
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

/// The first record of a run.
pub(crate) fn header(guest: &Guest, request: &RunRequest, resumable: bool) -> Header {
    let description = guest.description();
    Header {
        format: FORMAT,
        run: request.run.clone(),
        batch: request.batch.clone(),
        host: request.host.clone(),
        site: request.site.clone(),
        mode: request.mode.clone(),
        policy: request.policy.clone(),
        dry_run: request.dry_run,
        resumable: resumable && !request.dry_run,
        guest: description.name.clone(),
        guest_version: description.version.clone(),
        guest_digest: guest.digest().to_owned(),
        plugs: guest
            .plugs()
            .iter()
            .map(|plug| wreimage_journal::Plugged {
                name: plug.description.name.clone(),
                version: plug.description.version.clone(),
                digest: plug.digest.clone(),
            })
            .collect(),
        options: request.options.pairs(),
        on_failure: request.on_failure,
        actor: request.actor.clone(),
        controller: request.controller.clone(),
        reason: request.reason.clone(),
        lock: request.lock.clone(),
        host_key: request.host_key.clone(),
        absent: request.absent.iter().cloned().collect(),
        effects: crate::effects_digest(),
        wreimage: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
