//! What a run is bound to from its beginning to its end.

use crate::guest::effects::pinned;
use crate::guest::grants::{Absent, Grants};
use crate::guest::imports::Import;
use crate::guest::load::{Guest, Plugged};
use crate::guest::options::{depools, keeps_system, target_release};
use crate::run::request::RunRequest;
use wreimage_capability::{Caller, Catalogue, Function, InstallerMarks, Server};
use wreimage_journal::{FORMAT, Header, OnFailure};

/// What is plugged into the guest of a run, as far as the gate has to know it.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) digest: String,
    pub(crate) capabilities: Vec<(String, Vec<String>)>,
    pub(crate) may_mutate: bool,
}

/// What does not change while a run is driven.
#[derive(Debug, Clone)]
pub(crate) struct RunContext {
    /// The capabilities that there are.
    pub(crate) catalogue: Catalogue,
    pub(crate) run: String,
    pub(crate) host: String,
    pub(crate) site: String,
    pub(crate) actor: String,
    pub(crate) controller: String,
    pub(crate) options: Vec<(String, String)>,
    /// Name and version of the guest.
    pub(crate) guest: String,
    /// SHA-256 of the guest's file.
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
    /// The guest will take the host out of its services before it changes the machine.
    pub(crate) depools: bool,
    /// The guest may continue with the system that is there, so that its host key matters.
    pub(crate) keeps_system: bool,
    /// The texts on a kernel command line by which an installer is known.
    pub(crate) installer_marks: InstallerMarks,
    /// Digests of what the site decides: its grants, its policy, its tables of providers.
    pub(crate) site_tables: Vec<(String, String)>,
    /// Fingerprint of the host key that the operator has given.
    pub(crate) given_host_key: Option<String>,
    /// The command that opens the host's console.
    pub(crate) console: Option<String>,
    /// Why no lease orders the controllers, where one could.
    pub(crate) unordered: Option<String>,
    /// The run can be continued by another process.
    pub(crate) resumable: bool,
}

impl RunContext {
    /// A guest that is not at hand is the one of the header.
    pub(crate) fn new(
        header: &Header,
        guest: Option<&Guest>,
        request: RunRequest,
        unordered: Option<String>,
        resumable: bool,
    ) -> Self {
        let options = request.options.pairs();
        RunContext {
            catalogue: Catalogue::default(),
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
                    let description = guest.description();
                    format!("{} {}", description.name, description.version)
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
            installer_marks: request.installer_marks,
            site_tables: request.site_tables,
            given_host_key: request.host_key,
            console: request.console,
            unordered,
            resumable,
        }
    }

    /// The component that is plugged into the guest, if the caller is one.
    pub(crate) fn plug(&self, caller: Caller) -> Option<&Component> {
        match caller {
            Caller::Guest => None,
            Caller::Plug(number) => self.plugs.get(number.checked_sub(1)?),
        }
    }

    /// Whether the engine itself answers it.
    pub(crate) fn is_served_by_engine(&self, function: &Function) -> bool {
        let capability = self.catalogue.capability(function.capability);
        capability.is_some_and(|it| it.server == Server::Engine)
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
        effects: pinned(guest.all_imports()),
        wreimage: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
