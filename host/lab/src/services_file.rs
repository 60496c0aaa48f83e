//! The services in a world file: tables of the site, and tables of single machines.

use crate::machine::Machine;
use crate::place::{Place, word};
use crate::service::agent::{Agent, Disabled};
use crate::service::conftool::VALUES;
use crate::service::phabricator::Ticket;
use crate::service::puppet::{Agents, Odd as OddAgent};
use crate::service::puppet_ca::{Held, fingerprint};
use crate::service::puppetdb::Exported;
use crate::service::{SERVICES, Settled, http, icinga, netbox::Script};
use crate::world::{World, WorldError};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;
use wreimage_capability::conftool::PoolObject;

/// The site's tables.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ServicesFile {
    unreachable: Vec<Spanned<String>>,
    denied: Vec<Spanned<String>>,
    errors: BTreeMap<Spanned<String>, u32>,
    certificates: Vec<Spanned<String>>,
    requests: Vec<Spanned<String>>,
    autosign: bool,
    controller_puppet: Agents,
    monitoring_puppet: Agents,
    suites: Vec<Spanned<String>>,
    endpoints: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TaskFile {
    id: Spanned<String>,
    #[serde(default)]
    title: String,
    status: Option<String>,
}

/// How often something goes wrong.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "neither a number of times nor \"always\"")]
pub(crate) enum Times {
    So(u32),
    Word(Always),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Always {
    Always,
}

impl Default for Times {
    fn default() -> Self {
        Times::So(0)
    }
}

impl Times {
    /// As a number that counts down, which `u32::MAX` never does.
    pub(crate) fn count(self) -> u32 {
        match self {
            Times::So(times) => times,
            Times::Word(Always::Always) => u32::MAX,
        }
    }
}

/// Whether it goes wrong once more.
pub(crate) fn count_down(times: &mut u32) -> bool {
    let wrong = *times > 0;
    if wrong && *times < u32::MAX {
        *times -= 1;
    }
    wrong
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CertificateFile {
    Absent,
    Requested,
    Signed,
}

/// The tables of a machine that speak of services.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PuppetFile {
    certificate: Option<CertificateFile>,
    disabled: Option<String>,
    first_run_fails: Times,
    first_run_applies_half: bool,
    cannot_be_disabled: bool,
    forged_request: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PuppetDbFile {
    known: Option<bool>,
    resource: Exported,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct IcingaFile {
    known: Option<bool>,
    never_known: bool,
    never_green: bool,
    drops_downtimes: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DebmonitorFile {
    known: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct HttpbbFile {
    fails: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PoolFile {
    cluster: Spanned<String>,
    service: Spanned<String>,
    pooled: Option<Spanned<String>>,
    weight: Option<u32>,
}

/// What a machine's tables say of the services.
pub(crate) struct Tables<'a> {
    pub(crate) puppet: &'a PuppetFile,
    pub(crate) puppetdb: &'a PuppetDbFile,
    pub(crate) icinga: &'a IcingaFile,
    pub(crate) debmonitor: &'a DebmonitorFile,
    pub(crate) httpbb: &'a HttpbbFile,
    pub(crate) conftool: &'a [PoolFile],
    pub(crate) script: Script,
}

/// Sets up what belongs to no machine.
pub(crate) fn site(
    place: &Place<'_>,
    world: &mut World,
    file: &ServicesFile,
    tasks: &[TaskFile],
) -> Result<(), WorldError> {
    let service = |name: &Spanned<String>| {
        let known = SERVICES.iter().any(|(known, _)| known == name.get_ref());
        let names: Vec<&str> = SERVICES.iter().map(|(name, _)| *name).collect();
        if known {
            return Ok(name.get_ref().clone());
        }
        let message = format!("`{}` is none of {}", name.get_ref(), names.join(", "));
        Err(place.error(name.span(), &message))
    };
    let seed = world.seed;
    let services = &mut world.services;
    for name in &file.unreachable {
        services.unreachable.insert(service(name)?);
    }
    for name in &file.denied {
        services.denied.insert(service(name)?);
    }
    for (name, times) in &file.errors {
        services.errors.insert(service(name)?, *times);
    }
    for (list, signed) in [(&file.certificates, true), (&file.requests, false)] {
        for name in list {
            let name = place.word(name, word::DOMAIN)?;
            let made = fingerprint(seed, &name, 0);
            let held = if signed {
                Held::Signed(made)
            } else {
                Held::Requested(made)
            };
            services.puppet_ca.held.insert(name, held);
        }
    }
    services.puppet_ca.autosign = file.autosign;
    services.puppet.controller = file.controller_puppet;
    services.puppet.monitoring = file.monitoring_puppet;
    for suite in &file.suites {
        let suite = place.word(suite, word::DOMAIN)?;
        services.httpbb.suites.insert(suite);
    }
    for name in &file.endpoints {
        if !http::KNOWN.contains(&name.get_ref().as_str()) {
            let message = format!("`{}` is none of {}", name.get_ref(), http::KNOWN.join(", "));
            return Err(place.error(name.span(), &message));
        }
        services.http.names.insert(name.get_ref().clone());
    }
    for task in tasks {
        let id = task.id.get_ref();
        if !wreimage_facts::task::is_task_id(id) {
            return Err(place.error(
                task.id.span(),
                &format!("`{id}` is not the id of a task such as `T12345`"),
            ));
        }
        let ticket = Ticket {
            title: task.title.clone(),
            status: task.status.clone().unwrap_or_else(|| "open".to_owned()),
            comments: Vec::new(),
        };
        services.phabricator.tasks.insert(id.clone(), ticket);
    }
    Ok(())
}

/// Sets up what belongs to one machine, which may still be changed.
pub(crate) fn machine(
    place: &Place<'_>,
    world: &mut World,
    machine: &mut Machine,
    tables: &Tables<'_>,
) -> Result<(), WorldError> {
    let host = machine.name.clone();
    let fqdn = machine.fqdn().to_owned();
    let enrolled = machine.disk.is_some();
    let made = fingerprint(world.seed, &fqdn, 0);
    let given = tables.puppet.certificate;
    let default = if enrolled {
        CertificateFile::Signed
    } else {
        CertificateFile::Absent
    };
    let certificate = given.unwrap_or(default);
    if let Some(disk) = &mut machine.disk {
        let holds = (certificate == CertificateFile::Signed).then(|| made.clone());
        disk.agent = Agent::settled(holds, machine.since);
        disk.agent.disabled = tables
            .puppet
            .disabled
            .clone()
            .map(|reason| Disabled { reason, by: None });
    }
    let services = &mut world.services;
    let known = Settled {
        puppetdb: tables.puppetdb.known.unwrap_or(enrolled),
        icinga: tables.icinga.known.unwrap_or(enrolled) && !tables.icinga.never_known,
        debmonitor: tables.debmonitor.known.unwrap_or(enrolled),
    };
    services.settle(machine, known);
    let held = match certificate {
        CertificateFile::Absent => None,
        CertificateFile::Requested => Some(Held::Requested(made)),
        CertificateFile::Signed => Some(Held::Signed(made)),
    };
    if let Some(held) = held {
        services.puppet_ca.held.insert(fqdn, held);
    }
    if tables.puppet.forged_request {
        services.puppet_ca.forged.insert(host.clone());
    }
    let agent = OddAgent {
        first_run_fails: tables.puppet.first_run_fails.count(),
        applies_half: tables.puppet.first_run_applies_half,
        cannot_be_disabled: tables.puppet.cannot_be_disabled,
    };
    if agent != OddAgent::default() {
        services.puppet.odd.insert(host.clone(), agent);
    }
    if tables.puppetdb.resource != Exported::Once {
        services
            .puppetdb
            .exported
            .insert(host.clone(), tables.puppetdb.resource);
    }
    let checks = icinga::Odd {
        never_known: tables.icinga.never_known,
        never_green: tables.icinga.never_green,
        drops_downtimes: tables.icinga.drops_downtimes,
    };
    if checks != icinga::Odd::default() {
        services.icinga.odd.insert(host.clone(), checks);
    }
    if tables.httpbb.fails {
        services.httpbb.fails.insert(host.clone());
    }
    if tables.script != Script::Works {
        services.netbox.scripts.insert(host.clone(), tables.script);
    }
    let objects = tables
        .conftool
        .iter()
        .map(|object| pool_object(place, &machine.inventory.device.site, object))
        .collect::<Result<Vec<_>, _>>()?;
    if !objects.is_empty() {
        services.conftool.objects.insert(host, objects);
    }
    Ok(())
}

fn pool_object(place: &Place<'_>, dc: &str, file: &PoolFile) -> Result<PoolObject, WorldError> {
    let pooled = match &file.pooled {
        None => "yes".to_owned(),
        Some(value) if VALUES.contains(&value.get_ref().as_str()) => value.get_ref().clone(),
        Some(value) => {
            return Err(place.error(
                value.span(),
                &format!("`{}` is none of {}", value.get_ref(), VALUES.join(", ")),
            ));
        }
    };
    Ok(PoolObject {
        dc: dc.to_owned(),
        cluster: place.word(&file.cluster, word::NAME)?,
        service: place.word(&file.service, word::NAME)?,
        pooled,
        weight: file.weight.unwrap_or(10),
        extra: Vec::new(),
    })
}
