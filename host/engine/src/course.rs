//! What a run begins with.

use crate::gate::Course;
use crate::grants::Absent;
use crate::guest::{Guest, Plugged};
use crate::imports::Import;
use crate::lease::Holder;
use crate::options::{keeps_system, target_release};
use crate::recorder::Recorder;
use crate::redact::{Redacted, Redaction};
use crate::request::RunRequest;
use crate::services::Services;
use crate::state::{Component, State};
use std::sync::{Arc, Mutex};
use wreimage_capability::{Providers, Server};
use wreimage_journal::{FORMAT, Header};

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
        holder,
        unordered: services.unordered,
        run: request.run,
        host: request.host,
        site: request.site,
        actor: request.actor,
        controller: request.controller,
        target_release: guest.and_then(|it| target_release(it.description(), &options)),
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
